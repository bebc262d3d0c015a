"""Rows of one parent in order: whatever a model draws, intervals follow each other and times rise with a counter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.rules.kinds.siblings import AmongSiblings
from synthohive_spark.schema.rule import Siblings

SECOND = 1_000_000
rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 90), st.none() | st.integers(1, 40)), min_size=1, max_size=25
)


def times(values: list[Any]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(values, unit="s").as_unit("us"))


def family(drawn: list[tuple[int, int, int | None]]) -> tuple[dict[str, pd.Series[Any]], np.ndarray[Any, Any]]:
    """Rows of families that stand together: a begin, and an end so much later, or none."""
    known = sorted(drawn, key=lambda r: r[0])
    end = [None if long is None else begin + long for _, begin, long in known]
    return {"begin": times([r[1] for r in known]), "end": times(end)}, np.array([r[0] for r in known])


def by_family(columns: dict[str, pd.Series[Any]], owner: Any) -> list[pd.DataFrame]:
    return [
        g.sort_values(["begin", "end"], kind="stable") for _, g in pd.DataFrame({**columns, "of": owner}).groupby("of")
    ]


@given(rows)
def test_the_next_interval_begins_where_the_last_one_ends(drawn: list[tuple[int, int, int | None]]) -> None:
    columns, owner = family(drawn)
    rule = AmongSiblings(column="begin", other="end", form="joined", single=True, unit="micro", step=SECOND)
    made = columns | rule.among(columns, Siblings.whole(owner))
    for before, after in zip(by_family(columns, owner), by_family(made, owner), strict=True):
        assert (after["begin"].iloc[1:].array == after["end"].iloc[:-1].array).all()
        assert (after["end"].isna().sum() == 1) == before["end"].isna().any(), "as many families have an open end"
        assert not (after["end"] <= after["begin"]).any(), "each is as long as it was, or as another one"


@given(rows, st.integers(0, 2), st.randoms(use_true_random=False))
def test_numbered_intervals_lie_in_the_order_of_their_numbers(
    drawn: list[tuple[int, int, int | None]], gap: int, random: Any
) -> None:
    columns, owner = family(drawn)
    numbers = list(range(len(owner)))
    random.shuffle(numbers)
    columns["n"] = pd.Series(numbers)
    told: dict[str, Any] = {"column": "begin", "other": "end", "form": "joined", "unit": "micro", "step": SECOND}
    rule = AmongSiblings(**told, gap=gap * SECOND, single=True, unended=True, by="n")
    made = pd.DataFrame({**columns, **rule.among(columns, Siblings.whole(owner)), "of": owner})
    for _, siblings in made.sort_values("n").groupby("of"):
        apart = siblings["begin"].iloc[1:].array - siblings["end"].iloc[:-1].array
        assert (apart == pd.Timedelta(gap, "s")).all()
        assert siblings["end"].isna().tolist() == [False] * (len(siblings) - 1) + [True]


@given(rows)
def test_intervals_do_not_overlap(drawn: list[tuple[int, int, int | None]]) -> None:
    columns, owner = family(drawn)
    rule = AmongSiblings(column="begin", other="end", form="apart", unit="micro", step=SECOND)
    made = columns | rule.among(columns, Siblings.whole(owner))
    for before, after in zip(by_family(columns, owner), by_family(made, owner), strict=True):
        assert not (after["begin"].iloc[1:].array < after["end"].iloc[:-1].array).any()
        assert after["begin"].is_unique
        begins, ends = before["begin"].to_numpy(), before["end"].fillna(before["begin"]).to_numpy()
        if not ((begins[1:] < ends[:-1]) | (begins[1:] == begins[:-1])).any():
            assert after.equals(before), "what is in order stays"


@given(rows, st.booleans())
def test_an_end_follows_from_begins_that_a_key_decides(drawn: list[tuple[int, int, int | None]], single: bool) -> None:
    columns, owner = family(list({(of, begin): (of, begin, long) for of, begin, long in drawn}.values()))
    for form in ("joined", "apart"):
        rule = AmongSiblings(
            column="end", other="begin", form=form, fixed=True, single=single, unit="micro", step=SECOND
        )
        made = columns | rule.among(columns, Siblings.whole(owner))
        assert made["begin"] is columns["begin"]
        for before, after in zip(by_family(columns, owner), by_family(made, owner), strict=True):
            begin, end = after["begin"].iloc[1:].array, after["end"].iloc[:-1].array
            assert (begin == end).all() if form == "joined" else not (begin < end).any()
            assert not (after["end"] <= after["begin"]).any()
            if single:
                assert after["end"].iloc[:-1].notna().all()
                assert after["end"].isna().any() == before["end"].isna().any()


@pytest.mark.parametrize("strict", [True, False])
def test_times_rise_with_the_counter(strict: bool) -> None:
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    counter = pd.Series(np.concatenate([rng.permutation(n) for n in np.unique(owner, return_counts=True)[1]]))
    when = times(rng.integers(0, 12, len(owner)).tolist()).mask(rng.random(len(owner)) < 0.1)
    rule = AmongSiblings(column="when", other="n", form="rising", strict=strict, unit="micro", step=SECOND)
    made = rule.among({"when": when, "n": counter}, Siblings.whole(owner))["when"]
    for _, rows_ in pd.DataFrame({"of": owner, "n": counter, "when": made}).sort_values("n").groupby("of"):
        steps = rows_["when"].dropna().diff().dropna()
        assert (steps > pd.Timedelta(0) if strict else steps >= pd.Timedelta(0)).all()
    assert made.isna().equals(when.isna())
    if not strict:
        assert sorted(made.dropna()) == sorted(when.dropna()), "only who has which"
    lasting = pd.to_timedelta(rng.integers(0, 90, len(owner)), unit="s")
    taken = rule.model_copy(update={"along": ("until",)})
    both = taken.among({"when": when, "until": when + lasting, "n": counter}, Siblings.whole(owner))
    assert both["when"].equals(made)
    assert sorted((both["until"] - both["when"]).dropna()) == sorted(lasting[when.notna()]), "each as long as before"
