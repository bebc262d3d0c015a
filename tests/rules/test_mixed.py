"""Texts that are numbers on some rows: where they are is found, and both are learnt apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kind import KINDS, Law
from synthohive_spark.rules.kinds import load
from synthohive_spark.rules.kinds.mixed import SPLIT, NumberOrText
from synthohive_spark.rules.scales import Scale
from tests.rules.test_decisions import said

load()
N = 2_000
RNG = np.random.default_rng(13)
SIZES = {"height": (170.0, 9.0), "weight": (70.0, 12.0), "score": (5.0, 2.0)}


def planted(near: float = 0.0) -> dict[str, list[str]]:
    """Measures with their kind: the value of an answer is a text."""
    what = [str(w) for w in RNG.choice([*SIZES, "smokes", "drinks"], N)]
    kind = ["numeric" if w in SIZES else "text" for w in what]
    value = []
    for w, k in zip(what, kind, strict=True):
        number = k == "numeric" and RNG.random() >= near
        value.append(f"{RNG.normal(*SIZES[w]):.1f}" if number else str(RNG.choice(["never", "often", "2"])))
    return {"what": what, "kind": kind, "value": value}


def laws(columns: dict[str, list[str]]) -> list[Law]:
    ids = {n: f"v{i}" for i, n in enumerate(columns)}
    number = [v if v.replace(".", "", 1).lstrip("-").isdigit() else None for v in columns["value"]]
    views = {"v2:number": pa.array([None if v is None else "0" for v in number], pa.string())}
    table = pa.table({**{ids[n]: pa.array(v) for n, v in columns.items()}, **views})
    sample = Sample.of(table, dict.fromkeys(ids.values(), "string"), {"v0", "v1", "v2"}, {"v0", "v1", "v2"})
    return KINDS["mixed"].search(replace(sample, least=3))


def test_where_a_text_is_a_number_is_found() -> None:
    found = laws(planted())
    names = {"v0": "what", "v1": "kind", "v2": "value"}
    assert [said(law, names) for law in found] == ["case when kind = numeric then number else null|number|text... end"]
    assert found[0].facts["sizes"] == ["v0", "v1"], "columns that may give numbers their size"
    assert laws(planted(near=0.03)) == [], "a near-law"


def rule(**more: Any) -> NumberOrText:
    scales = {
        "height": Scale(points=tuple(np.linspace(150, 190, 33)), discrete=False, digits=(1, 1)),
        "score": Scale(points=(0, 0, 5, 5, 10), discrete=True, digits=(0, 0)),
    }
    other = Scale(points=tuple(np.linspace(0, 100, 33)), discrete=False, digits=(0, 2))
    return NumberOrText(column="value", expression="", shown="", category="what", scales=scales, other=other, **more)


def test_numbers_are_learnt_as_places_and_written_as_before() -> None:
    what = ["height", "score", "smokes", "drinks", "height", "weight"] * 50
    value = ["170.0", "5", "never", None, "160.5", "72.25"] * 50
    data = pd.DataFrame({"what": what, "value": value}, dtype=object)
    learnt = rule().encode(data, pd.DataFrame(index=data.index), data, 3)
    assert set(learnt["value"].dropna()) == {"never"}, "numbers are no categories"
    assert learnt["value:#"].between(0, 1).all()
    assert abs(learnt["value:#"][0] - 0.5) < 0.01
    assert 0.4 <= learnt["value:#"][1] <= 0.8
    both = rule().decode(learnt, pd.DataFrame(index=data.index))["value"].str.split(SPLIT)
    assert both[0][0] == "170.0"
    assert both[1][0] == "5"
    assert both[4][0] == "160.5"
    assert both[5][0] == "72.25"
    assert {len(b) for b in both} == {1, 2}, "a null has no text"


def test_a_plan_holds_the_rule() -> None:
    made = rule()
    assert NumberOrText.model_validate_json(made.model_dump_json()) == made
    assert made.check({"value": "string"}) is None, "what was drawn is not in the copy"
