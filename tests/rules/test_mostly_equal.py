"""Texts that mostly equal an ancestor's: found where chance does not make them equal, and left alone elsewhere."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kinds.mostly_equal import MostlyEqual

ROWS = 1_000
RNG = np.random.default_rng(5)
CITIES = np.array([f"city {i}" for i in range(40)], dtype=object)


def found(**columns: list[str | None]) -> list[tuple[str, str]]:
    """Target and base of each law; names of ancestors' columns begin with c, the row's own with v."""
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    own = {name for name in columns if name.startswith("v")}
    sample = Sample.of(table, dict.fromkeys(columns, "string"), own, own)
    return [(law.target, law.inputs[0]) for law in MostlyEqual().search(sample)]


def but_for(base: np.ndarray, share: float) -> np.ndarray:
    """The values, of which a share is drawn anew."""
    return np.where(RNG.random(len(base)) < share, RNG.choice(CITIES, len(base)), base)


def test_of_several_texts_the_one_that_most_rows_equal_is_found() -> None:
    home = RNG.choice(CITIES, ROWS)
    assert found(v0=but_for(home, 0.1), c0=RNG.choice(CITIES, ROWS), c1=home, c2=but_for(home, 0.1)) == [("v0", "c1")]


def test_nulls_count_as_equal_where_both_are_null() -> None:
    home = RNG.choice(CITIES, ROWS)
    home[RNG.random(ROWS) < 0.4] = None
    assert found(v0=but_for(home, 0.1), c0=home) == [("v0", "c0")]


@pytest.mark.parametrize("case", ["equal on every row", "equal on half of the rows", "equal by chance", "no value"])
def test_what_is_not_mostly_equal_is_left_alone(case: str) -> None:
    home = RNG.choice(CITIES, ROWS)
    yes = np.where(RNG.random(ROWS) < 0.95, "yes", "no").astype(object)
    columns = {
        "equal on every row": {"v0": home, "c0": home},
        "equal on half of the rows": {"v0": but_for(home, 0.5), "c0": home},
        "equal by chance": {"v0": yes, "c0": RNG.permutation(yes)},
        "no value": {"v0": np.full(ROWS, None), "c0": home},
    }[case]
    assert found(**columns) == []
