"""Rows that only few people of the source have are no rows of the copy: the step alone, with planted models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from synthohive_spark.generation.batch_state import BatchState
from synthohive_spark.generation.steps.copies import RedrawCopies
from synthohive_spark.generation.steps.values import DrawValues
from synthohive_spark.models.artifact import pack
from synthohive_spark.privacy.rare_rows import RareRows, filter_text
from synthohive_spark.rules.kinds.bounds import Bound, Ordered
from synthohive_spark.schema import frames
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan
from synthohive_spark.schema.conversion import arrow_type
from synthohive_spark.schema.row_hashes import hash_rows
from synthohive_spark.schema.rule import RulesPlan
from synthohive_spark.tables import Constraint

from ..shuffle import ColumnShuffle, Parrot

TYPES = {"a": "bigint", "b": "string", "c": "double"}
SALT = 3


def source(rows: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.integers(0, 50, rows),
            "b": rng.choice(["x", "y", "z", None], rows),
            "c": rng.normal(0, 1, rows).round(2),
        }
    ).astype({"b": object})


def hashes(rows: pd.DataFrame, columns: Sequence[str] = tuple(TYPES)) -> Any:
    return hash_rows([pa.Array.from_pandas(rows[c].astype(object), type=arrow_type(TYPES[c])) for c in columns], SALT)


def rare(rows: pd.DataFrame, k: int) -> RareRows:
    """Of a table whose rows are people."""
    values, counts = np.unique(hashes(rows), return_counts=True)
    return RareRows(columns=tuple(TYPES), salt=SALT, bits=filter_text(values[counts < k]))


def state(rows: int, seed: int = 5) -> BatchState:
    family = {"kind": frames.FAMILY, "block": 0, "slice": 0, "slices": 1, "rank": 0, "rows": rows, "start": 0}
    head = {"kind": frames.HEAD, "block": 0, "slice": 0, "offset": 0}
    return BatchState.of("t", pd.DataFrame([{**family, "total": rows}, head]).fillna(0), seed)


def values(real: pd.DataFrame, model: type[ColumnShuffle], rows: int, **plan: Any) -> DrawValues:
    each = tuple(ColumnPlan(name=c, type=t, role="model") for c, t in TYPES.items())
    fields = [{"name": c, "type": t, "nullable": True, "metadata": {}} for c, t in TYPES.items()]
    return DrawValues(
        table="t",
        columns=ColumnsPlan(each=each, spark_schema={"fields": fields}, bounds=plan.get("bounds", ())),
        rules=plan.get("rules", RulesPlan()),
        driving=None,
        shown={},
        behind=frozenset(),
        total=rows,
        model_cls=model,
        model=pack(model().fit(real)),
    )


def made(step: RedrawCopies, drawn: BatchState) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows before the step, and after it."""
    before = pd.DataFrame(step.values(drawn).columns)
    return before, pd.DataFrame(step(drawn).columns)


def without_keys(real: pd.DataFrame, model: type[ColumnShuffle], rows: int, k: int = 5, **plan: Any) -> RedrawCopies:
    return RedrawCopies(rare(real, k), frozenset(), values(real, model, rows, **plan))


def test_a_model_that_repeats_its_training_repeats_no_row() -> None:
    real, rows = source(800), 2000
    before, after = made(without_keys(real, Parrot, rows), state(rows))
    held = rare(real, 5)
    assert held.holds(hashes(before)).mean() > 0.95, "else it is no parrot"
    assert not np.isin(hashes(after), hashes(real)).any()
    for column in TYPES:
        assert set(after[column].dropna()) <= set(real[column].dropna()), "values are the model's"


def test_what_is_no_copy_stays_as_it_is() -> None:
    real, rows = source(800), 2000
    step = without_keys(real, ColumnShuffle, rows)
    before, after = made(step, state(rows))
    changed = (before.fillna("-").astype(str) != after.fillna("-").astype(str)).any(axis=1).to_numpy()
    found = step.rare.holds(hashes(before))
    assert (changed <= found).all()
    assert 0.02 < found.mean() < 0.2
    assert not np.isin(hashes(after), hashes(real)).any()


def test_a_combination_of_many_people_is_an_ordinary_value() -> None:
    real = pd.DataFrame({"a": [1, 2] * 200, "b": ["x", "y"] * 200, "c": [0.5] * 400}).astype({"b": object})
    odd = pd.DataFrame({"a": [1], "b": ["y"], "c": [0.5]}).astype({"b": object})
    step = without_keys(pd.concat([real, odd] * 4, ignore_index=True), ColumnShuffle, 1000)
    before, after = made(step, state(1000))
    assert np.isin(hashes(before), hashes(odd)).mean() > 0.2
    assert not np.isin(hashes(after), hashes(odd)).any()
    assert np.isin(hashes(after), hashes(real)).mean() > 0.6, "the two that everybody has"


def test_rows_without_another_value_stay_and_are_counted() -> None:
    real = pd.DataFrame({"a": [1, 2], "b": ["x", "x"], "c": [0.5, 0.5]}).astype({"b": object})
    with capture_logs() as logs:
        before, after = made(without_keys(real, ColumnShuffle, 50), state(50))
    pd.testing.assert_frame_equal(before, after)
    assert [(line["event"], line["rows"], line["of"]) for line in logs] == [("copies_left", 50, 50)]


def test_keys_siblings_and_bounds_stay() -> None:
    real, rows = source(800), 1000
    bounds = (Constraint(column="c", min=0.25),)
    step = RedrawCopies(rare(real, 5), frozenset({"a"}), values(real, Parrot, rows, bounds=bounds))
    before, after = made(step, state(rows))
    assert after["a"].tolist() == before["a"].tolist()
    assert (after["c"] != before["c"]).mean() > 0.3
    assert after["c"].min() >= 0.25


def test_rules_are_kept_by_rows_that_are_drawn_again() -> None:
    """Where a bound may not change, neither does what is measured from it."""
    real, rows = source(800), 1000
    real["c"] = real["a"] + np.random.default_rng(2).integers(0, 30, len(real)) / 2
    rule = Ordered(column="c", lower=(Bound(name="a"),), unit="number", step=1, scale=1)
    learnt = RulesPlan(each=(rule,)).encode(real, pd.DataFrame(index=real.index), lambda nth: nth)
    for fixed in (frozenset[str](), frozenset({"a"})):
        drawn = values(learnt, Parrot, rows, rules=RulesPlan(each=(rule,)))
        step = RedrawCopies(rare(real, 5), fixed, drawn)
        before, after = made(step, state(rows))
        assert (after["c"] >= after["a"]).all()
        if not fixed:
            assert not np.isin(hashes(after), hashes(real)).any()
        else:
            assert "c" not in step.varied
            assert (after["c"] == before["c"]).all()
            assert np.isin(hashes(after), hashes(real)).mean() < 0.1, "the text is free still"


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from([Parrot, ColumnShuffle]), st.integers(1, 6))
def test_one_seed_gives_one_batch_without_copies(seed: int, model: type[ColumnShuffle], k: int) -> None:
    real = source(120, seed % 1000)
    step = without_keys(real, model, 200, k)
    with capture_logs() as logs:
        one = made(step, state(200, seed))[1]
        two = made(step, state(200, seed))[1]
    pd.testing.assert_frame_equal(one, two)
    left = {line["rows"] for line in logs}
    found = int(step.rare.holds(hashes(one)).sum())
    assert found == (left.pop() if left else 0)


@pytest.mark.parametrize("fixed", [frozenset(TYPES), frozenset({"a", "b"})])
def test_what_may_not_change_does_not(fixed: frozenset[str]) -> None:
    real = source(300)
    step = RedrawCopies(rare(real, 5), fixed, values(real, Parrot, 300))
    before, after = made(step, state(300))
    for column in fixed:
        pd.testing.assert_series_equal(before[column], after[column])
