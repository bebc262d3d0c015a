"""Labels of parents of whom only the number of children is known: as many rows meet each as in the source."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.matching import learn as matching
from synthohive_spark.matching.labels import RankedLabels

NOBODY = pd.DataFrame()


def met(degree: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.bincount(labels, weights=degree) / degree.sum()


@pytest.mark.parametrize("scale", [1, 10])
def test_busy_parents_share_the_labels_of_busy_parents(scale: int) -> None:
    degree = 2 ** np.arange(15)
    of_parent = np.random.default_rng(1).permutation(15)
    law, shown = RankedLabels.learn(degree, of_parent, 1.0, 3)
    places = np.arange(15 * scale)
    drawn = law.draw(NOBODY, places, len(places))
    assert np.diff(LinkageModel().fit(degree).at(places, len(places))).min() >= 0  # places ascend with children
    for stretch in (slice(12, 15), slice(9, 12)):
        ours = drawn[stretch.start * scale : stretch.stop * scale]
        assert sorted(ours.tolist()) == sorted(of_parent[stretch].tolist() * scale)
    assert set(shown[12:]) == {round((2**12 + 2**13 + 2**14) / 3)}
    assert set(law.shown(places, len(places))[12 * scale :]) == {shown[14]}
    assert (np.bincount(drawn) == scale).all()  # each label as often as in the source


def test_rows_meet_each_label_as_often_as_in_the_source() -> None:
    rng = np.random.default_rng(2)
    degree, of_parent = np.ceil(rng.lognormal(3, 1.5, 2_000)).astype(np.int64), rng.integers(0, 12, 2_000)
    law, _ = RankedLabels.learn(degree, of_parent, 1.0, 5)
    places = np.arange(2_000)
    made = met(LinkageModel().fit(degree).at(places, 2_000), law.draw(NOBODY, places, 2_000))
    assert np.abs(made - met(degree, of_parent)).sum() < 0.1


def test_parents_without_children_take_no_label_from_those_with() -> None:
    degree = np.array([5, 5, 5, 40, 40, 40])
    of_parent = np.array([0, 1, 2, 3, 4, 5])
    law, _ = RankedLabels.learn(degree, of_parent, 0.06, 3)
    assert sorted(law.draw(NOBODY, np.arange(94, 100), 100).tolist()) == [0, 1, 2, 3, 4, 5]
    assert sorted(law.draw(NOBODY, np.arange(97, 100), 100).tolist()) == [3, 4, 5]


@given(
    degree=st.lists(st.integers(1, 1_000), min_size=1, max_size=300),
    few=st.integers(1, 40),
    busy=st.floats(0.01, 1.0),
    parents=st.integers(1, 5_000),
)
def test_no_stretch_holds_fewer_parents_than_may_be_learnt_from(
    degree: list[int], few: int, busy: float, parents: int
) -> None:
    counts = np.array(degree)
    labels = np.arange(len(counts)) % 7
    law, shown = RankedLabels.learn(counts, labels, busy, few)
    stretches = np.diff(np.r_[0, np.rint(law.ends * len(counts))])
    assert stretches.min() >= min(few, len(counts))
    assert np.unique(shown, return_counts=True)[1].min() >= min(few, len(counts))
    assert stretches.sum() == len(counts)
    again = RankedLabels.from_dict(law.to_dict())
    place = np.arange(parents)
    drawn = law.draw(NOBODY, place, parents)
    assert ((drawn >= 0) & (drawn <= labels.max())).all()
    assert (drawn == again.draw(NOBODY, place, parents)).all()
    some = place[::3]
    assert (law.draw(NOBODY, some, parents) == drawn[::3]).all()  # whoever else is asked for


def test_whom_drivers_refer_to_is_compared_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    row, parent = rng.integers(0, 7, 4000), rng.integers(0, 300, 4000)
    whole = matching._affinity(row, parent, 7)
    assert np.allclose(np.diag(whole), 1.0)
    monkeypatch.setattr(matching, "PARENTS_AT_ONCE", 64)
    assert np.allclose(matching._affinity(row, parent, 7), whole)
