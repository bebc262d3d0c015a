"""Functions without a formula: found where planted, not where they nearly hold or hold by chance. No Spark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import Row

from synthohive_spark.privacy.support import Support
from synthohive_spark.rules.dictionaries import Entries, Groups
from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.dictionary import Dictionary
from synthohive_spark.rules.kinds.keyed import Keyed, KeyedValue
from synthohive_spark.rules.kinds.near_dictionary import NearDictionary
from synthohive_spark.rules.value_kind import ValueKind

N = 1_500
RNG = np.random.default_rng(5)
COUNTRY = [f"country {i % 6}" for i in range(40)]
SPARK = {"string": "string", "int64": "bigint", "double": "double", "bool": "boolean"}


def found(**columns: Any) -> dict[str, set[str]]:
    """{column: what it follows from}, of every law; those that ``settled`` leaves are ``chosen``."""
    return _named(columns)


def chosen(**columns: Any) -> dict[str, set[str]]:
    return _named(columns, settled=True)


def _named(columns: dict[str, Any], settled: bool = False, kind: ValueKind | None = None) -> dict[str, set[str]]:
    table = pa.table({f"v{i}": pa.array(v) for i, v in enumerate(columns.values())})
    names, ids = dict(zip(table.column_names, columns, strict=True)), set(table.column_names)
    types = {i: SPARK[str(table.schema.field(i).type)] for i in ids}
    laws = (kind or Dictionary()).search(Sample.of(table, types, ids, ids))
    made: dict[str, set[str]] = {}
    for law in Dictionary().settled(laws) if settled else laws:
        made.setdefault(names[law.target], set()).add(" ".join(names[i] for i in law.inputs))
    return made


def cities(rows: int = N) -> Any:
    return RNG.integers(0, 40, rows)


def test_a_city_has_one_country_and_not_the_other_way_round() -> None:
    city = cities()
    assert found(city=[f"city {c}" for c in city], country=[COUNTRY[c] for c in city]) == {"country": {"city"}}


def test_numbers_and_flags_follow_and_decide_too() -> None:
    kind = RNG.integers(1, 9, N)
    price = np.array([9.5, 1.25, 3.0, 3.0, 8.75, 2.0, 7.5, 6.0, 4.0])
    laws = found(kind=kind, price=price[kind], taxed=kind > 4, noise=RNG.integers(0, 50, N))
    assert laws == {"price": {"kind"}, "taxed": {"kind"}}


def test_what_nearly_holds_is_no_law() -> None:
    city = cities()
    other = np.where(RNG.random(N) < 0.03, cities(), city)
    assert found(city=[f"city {c}" for c in city], country=[COUNTRY[c] for c in other]) == {}


@pytest.mark.parametrize("rows", [30, 60, 200, 1_500])
def test_what_is_nearly_unique_decides_nothing(rows: int) -> None:
    for _ in range(20):
        who = RNG.integers(0, 2 * rows, rows)
        answer = np.random.default_rng(int(RNG.integers(1 << 30))).integers(0, 3, 2 * rows)[who]
        chance = RNG.integers(0, 3, rows)
        assert found(who=[f"w{w}" for w in who], answer=answer, chance=chance) == {}


@pytest.mark.parametrize("rows", [30, 40, 60, 100, 400])
def test_small_tables_hold_no_accidents(rows: int) -> None:
    for _ in range(30):
        columns = {f"c{i}": RNG.integers(0, int(k), rows) for i, k in enumerate(RNG.integers(2, 12, 8))}
        columns["usual"] = RNG.random(rows) < 0.03
        assert found(**columns) == {}


def test_a_region_stands_between_city_and_country() -> None:
    city = cities()
    region = [f"region {c % 12}" for c in city]
    laws = chosen(country=[COUNTRY[c % 12] for c in city], region=region, city=[f"city {c}" for c in city])
    assert laws == {"region": {"city"}, "country": {"region"}}


def test_of_columns_that_decide_each_other_one_leads() -> None:
    code = cities()
    names = {"name": [f"n{c}" for c in code], "short": [f"s{c}" for c in code], "code": [f"c{c}" for c in code]}
    laws = chosen(**names, kind=code % 4)
    assert len(laws) == 3
    assert len(set.union(*laws.values())) == 1


def test_the_rows_without_a_determinant_are_free() -> None:
    city, gone = cities(), RNG.random(N) < 0.3
    free = ["a", "b", "c"]
    country = [free[i % 3] if g else COUNTRY[c] for i, (c, g) in enumerate(zip(city, gone, strict=True))]
    table = pa.table(
        {"v0": pa.array([None if g else f"city {c}" for c, g in zip(city, gone, strict=True)]), "v1": country}
    )
    (law,) = Dictionary().search(Sample.of(table, {"v0": "string", "v1": "string"}, {"v0", "v1"}, {"v0", "v1"}))
    assert (law.target, law.inputs, law.reach) == ("v1", ("v0",), "fill")


def test_two_columns_together_where_neither_says_all() -> None:
    kind, place = RNG.integers(0, 8, N), RNG.integers(0, 7, N)
    price = RNG.integers(0, 40, (8, 7))[kind, place]
    laws = found(kind=[f"k{k}" for k in kind], place=[f"p{p}" for p in place], price=price, noise=RNG.integers(0, 9, N))
    assert laws["price"] == {"kind place"}
    assert "noise" not in laws
    nearly = np.where(RNG.random(N) < 0.03, 99, price)
    assert "price" not in found(kind=[f"k{k}" for k in kind], place=[f"p{p}" for p in place], price=nearly)


def test_the_largest_group_alone_proves_nothing() -> None:
    """Most rows hold one value in both columns; the rest nearly all differ."""
    usual = RNG.random(N) < 0.8
    who = np.where(usual, 0, RNG.integers(1, 60, N))
    what = np.where(usual, 0, RNG.integers(1, 5, N))
    assert found(who=who, what=what) == {}


def nearly(**columns: Any) -> dict[str, set[str]]:
    return _named(columns, kind=NearDictionary())


def test_what_holds_on_nearly_all_rows_is_told_apart_from_chance() -> None:
    city = cities()
    country = np.where(RNG.random(N) < 0.03, RNG.integers(0, 6, N), city % 6)
    noise = RNG.integers(0, 9, N)
    assert nearly(city=[f"city {c}" for c in city], country=country, noise=noise) == {"country": {"city"}}
    often = np.where(RNG.random(N) < 0.15, RNG.integers(0, 6, N), city % 6)
    assert nearly(city=[f"city {c}" for c in city], country=often, noise=noise) == {}


@pytest.mark.parametrize("rows", [30, 40, 60, 100, 400])
def test_nothing_holds_nearly_by_chance(rows: int) -> None:
    for _ in range(30):
        columns = {f"c{i}": RNG.integers(0, int(k), rows) for i, k in enumerate(RNG.integers(2, 12, 8))}
        columns["usual"] = RNG.random(rows) < 0.03
        assert nearly(**columns) == {}


def test_an_ancestor_says_as_much_as_there_are_ancestors() -> None:
    """A class of the parent decides a column of its many children where enough parents agree in it."""
    parent = RNG.integers(0, 60, N)

    def laws(segment: Any) -> list[tuple[str, tuple[str, ...]]]:
        tier = [f"tier {s % 3}" for s in segment[parent]]
        table = pa.table({"v0": parent, "v1": tier, "c0": [f"segment {s}" for s in segment[parent]]})
        types = {"v0": "bigint", "v1": "string", "c0": "string"}
        sample = Sample.of(table, types, {"v1"}, {"c0"})
        return [(w.target, w.inputs) for w in Dictionary().search(replace(sample, holders={"c0": ("v0",)}))]

    assert laws(np.arange(60) % 6) == [("v1", ("c0",))]
    assert laws(np.arange(60)) == [], "each parent has one of its own"


def test_what_follows_from_a_part_of_a_date_or_of_a_text() -> None:
    day = np.datetime64("2020-01-01") + RNG.integers(0, 900, N)
    name = [d.item().strftime("%A") for d in day]
    kind = RNG.integers(0, 12, N)
    code = [f"{'ABCDEFGHIJKL'[k]}X-{i}" for i, k in enumerate(kind)]
    table = pa.table({"v0": pa.array(day), "v1": name, "v2": code, "v3": [f"kind {k}" for k in kind]})
    table = table.append_column("v2:letters", pa.array([c[:2] for c in code]))
    types = {"v0": "date", "v1": "string", "v2": "string", "v3": "string"}
    ids = {*types}
    laws = Dictionary().search(Sample.of(table, types, ids - {"v2"}, ids))
    assert {(w.target, w.inputs, w.sql) for w in laws} == {
        ("v1", ("v0",), "weekday({0})"),
        ("v3", ("v2",), Dictionary.views["letters"]),
    }


def test_what_follows_from_keys_alone() -> None:
    start, end = RNG.integers(0, 12, N), RNG.integers(0, 12, N)
    far = RNG.integers(100, 900, (12, 12))[start, end].tolist()
    table = pa.table({"v0": start, "v1": end, "v2": far, "v3": RNG.integers(0, 9, N)})
    sample = Sample.of(table, dict.fromkeys(table.column_names, "bigint"), {"v2", "v3"}, {"v2", "v3"})
    laws = Keyed().search(replace(sample, keys=frozenset({"v0", "v1"})))
    assert [(w.target, w.inputs) for w in laws] == [("v2", ("v0", "v1"))]


def test_each_key_has_the_values_of_one_key_of_the_source() -> None:
    values = {
        "far": tuple(f"={n}" for n in range(50)),
        "on": tuple("~" if n % 7 == 0 else "=2020-01-02" for n in range(50)),
    }
    start, end = (
        pd.Series(RNG.integers(0, 30, 400)),
        pd.Series([f"e{i}" for i in RNG.integers(0, 30, 400)], dtype=object),
    )
    made = {}
    for name, kind in {"far": "int", "on": "date"}.items():
        rule = KeyedValue(
            column=name, inputs=("a", "b"), inputs_types=("bigint", "string"), values=values[name], type=kind
        )
        made[name] = rule.before({"a": start, "b": end})
        turned = rule.before({"a": start[::-1].reset_index(drop=True), "b": end[::-1].reset_index(drop=True)})
        assert turned[::-1].reset_index(drop=True).equals(made[name]), "whatever the batch holds beside"
    frame = pd.DataFrame({"a": start, "b": end, **made})
    assert frame.groupby(["a", "b"])["far"].nunique().max() == 1
    assert frame["far"].nunique() > 40
    assert ((frame["far"] % 7 == 0) == frame["on"].isna()).all(), "columns of one key stay together"


def written(kind: str, rows: list[tuple[str | None, int, list[tuple[int, str]]]]) -> Entries:
    law = Law(kind, "v1", ("v0",), "")
    shown = [Row(key=k, n=n, values=[Row(n=m, value=v) for m, v in values]) for k, n, values in rows]
    groups: Any = Groups(None, {"v0": "string", "v1": "string"}, Support(3), {})  # type: ignore[arg-type]
    made: Entries = groups._written(law, shown)
    return made


def test_what_a_dictionary_does_not_hold_has_what_is_usual_among_the_rare() -> None:
    known: list[tuple[str | None, int, list[tuple[int, str]]]] = [("=a", 9, [(9, "=x")]), ("~", 5, [(5, "~")])]
    rare = written("dictionary", [*known, (None, 6, [(6, "=z")])])
    assert rare.entries == {"=a": ("=x",), "~": ("~",)}
    assert set(rare.others) == {"=z"}
    alone = written("dictionary", known)
    assert alone.others == ("=x",) * 32, "a description of the source that is none of a rare code"
    keys = written("keyed", known)
    assert (keys.entries, keys.others) == ({}, ("=x", "~")), "no key of the source is in a plan"


def test_exceptions_keep_their_share_over_all_determinants() -> None:
    made = written("near_dictionary", [(f"={i}", 200, [(194, f"=v{i}"), (4, "=w")]) for i in range(2_000)])
    values = [v for choices in made.entries.values() for v in choices * (32 // len(choices))]
    assert abs(np.mean([v == "=w" for v in values]) - 0.02) < 0.003
    assert abs(np.mean([v == "*" for v in values]) - 0.01) < 0.003
    assert made.agreed == pytest.approx(0.97)
