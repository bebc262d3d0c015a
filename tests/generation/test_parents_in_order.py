"""Two parents of a row keep their order: nobody enrols in a section that began before he came."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from synthohive_spark.generation.exchange import Fit, deal_fitting
from synthohive_spark.metadata import Metadata
from synthohive_spark.randomness import Floats
from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kinds.parents import OrderOfParents, ParentsInOrder
from tests.lakes import fitted, key_faults, write_lake

FIRST = dt.date(2015, 1, 1)
STUDENTS, SECTIONS = 400, 120


def fit_of(needs: Floats, has: Floats, kin: Any = None, parent: Any = None, once: bool = True) -> Fit:
    """One order, and nothing else but kin."""
    rows, parents = len(needs), len(has)
    code = np.arange(parents) if parent is None else parent
    group, nobody = np.zeros(rows, np.int64), np.zeros((0, rows), np.int64)
    return Fit(needs[None], has[None], np.array([False]), code, nobody, kin, group, once)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_every_row_gets_a_parent_that_it_may_have_if_all_can(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    needs = rng.random(rows)
    has = needs + rng.random(rows) * rng.choice([0.0, 0.02, 0.5])
    dealt = rng.permutation(rows).astype(np.int64)
    made = deal_fitting(dealt, fit_of(needs, has), rng)
    assert sorted(made) == sorted(dealt), "whoever is dealt stays dealt, as often"
    assert (needs <= has[made]).all()


@given(st.integers(2, 12), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_kin_keep_different_parents(families: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kin = np.repeat(np.arange(families), size)
    parent = np.concatenate([rng.permutation(size + 3)[:size] for _ in range(families)])
    order = rng.permutation(len(kin))
    dealt = np.argsort(order).astype(np.int64)
    parent = parent[order]
    needs, has = rng.random(families)[kin], rng.random(size + 3)[parent]
    before = needs > has[dealt]
    made = deal_fitting(dealt, fit_of(needs, has, kin, parent), rng)
    assert sorted(made) == sorted(dealt)
    assert len({*zip(kin.tolist(), parent[made].tolist(), strict=True)}) == len(kin)
    assert (needs > has[made]).sum() <= before.sum()
    made = deal_fitting(dealt, fit_of(needs, has, kin, parent, once=False), rng)
    assert len({*zip(kin.tolist(), parent[made].tolist(), strict=True)}) == len(kin)
    for row in np.flatnonzero(needs > has[made]):  # its kin have all that it could have
        able = parent[dealt[needs[row] <= has[dealt]]]
        assert {*able.tolist()} <= {*parent[made[kin == kin[row]]].tolist()}


def test_what_follows_from_other_orders_is_no_law_of_its_own() -> None:
    rng, rows = np.random.default_rng(5), 3_000
    came = rng.integers(0, 1_000, 300)
    left = came + rng.integers(400, 900, 300)
    begins = np.arange(150) * 14
    ends = begins + 90
    who, what = rng.integers(0, 300, rows), rng.integers(0, 150, rows)
    fits = (came[who] <= begins[what]) & (ends[what] <= left[who])
    who, what = who[fits], what[fits]
    days = pa.array(np.array([came[who], left[who], begins[what], ends[what], begins[what]]).ravel(), pa.int32())
    parts = {f"c{i}": days.slice(i * len(who), len(who)).cast(pa.date32()) for i in range(5)}
    sample = Sample.of(pa.table(parts), dict.fromkeys(parts, "date"), set(), set())
    # c4 lies behind a wider key, which holds the column of that behind which c2 and c3 lie
    paths = {"c0": "v1", "c1": "v1", "c2": "v2", "c3": "v2", "c4": "v2,v3"}
    found = OrderOfParents().search(replace(sample, paths=paths))
    assert {law.inputs for law in found} == {("c0", "c2"), ("c3", "c1")}, (
        "c4 is c2, and the first of two equal ones stands"
    )


def lake() -> dict[str, pd.DataFrame]:
    """Students take sections that begin after they came; each term is some months, each student stays for some."""
    rng = np.random.default_rng(3)
    came = np.sort(rng.integers(0, 1_500, STUDENTS))
    begins = np.sort(rng.integers(0, 2_000, SECTIONS)) + 30
    begins[-3:] = 2_100
    took = [rng.choice(np.flatnonzero(begins > c), min(8, int((begins > c).sum())), replace=False) for c in came]
    who, what = np.repeat(np.arange(STUDENTS), [len(t) for t in took]), np.concatenate(took)
    days = [FIRST + dt.timedelta(days=int(d)) for d in range(4_000)]
    return {
        "students": pd.DataFrame({"student": range(STUDENTS), "came": [days[c] for c in came]}),
        "sections": pd.DataFrame(
            {"section": range(SECTIONS), "begins": [days[b] for b in begins], "seats": rng.integers(10, 99, SECTIONS)}
        ),
        "enrolments": pd.DataFrame(
            {"enrolment": range(len(who)), "student": who, "section": what, "points": rng.integers(0, 100, len(who))}
        ),
    }


@pytest.mark.spark
@pytest.mark.parametrize("key", ["enrolment", ["student", "section"]])
def test_a_student_enrols_in_sections_that_begin_later(spark: SparkSession, tmp_path: Path, key: Any) -> None:
    source, spec = lake(), dict[str, Any]()
    if key != "enrolment":
        source["enrolments"] = source["enrolments"].drop(columns="enrolment")
    for table, own in (("students", "student"), ("sections", "section")):
        spec[table] = {"primary_key": own}
    keys = [
        {"columns": [c], "references": t, "referenced_columns": [c]}
        for c, t in (("student", "students"), ("section", "sections"))
    ]
    spec["enrolments"] = {"primary_key": key, "foreign_keys": keys}
    metadata = Metadata.load({"tables": spec})
    made = fitted(spark, metadata, write_lake(spark, tmp_path / "source", source))
    assert made.trained is not None
    found = [r for r in made.trained.plans["enrolments"].rules.each if isinstance(r, ParentsInOrder)]
    assert [(r.lower, r.upper, r.strict) for r in found] == [("student:came", "section:begins", True)]
    made.generate({}, str(tmp_path / "copy"))
    copy = {t: made.io.read_dataset(str(tmp_path / "copy" / t)) for t in spec}
    assert key_faults(metadata, copy) == []
    rows = copy["enrolments"].join(copy["students"], "student").join(copy["sections"], "section").toPandas()
    assert len(rows) == len(source["enrolments"])
    assert (rows["came"] < rows["begins"]).all()
    many = rows.groupby("section").size().to_numpy()
    real = source["enrolments"].groupby("section").size().to_numpy()
    assert sorted(many)[len(many) // 2] == pytest.approx(sorted(real)[len(real) // 2], rel=0.2)
