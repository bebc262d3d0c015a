"""Texts that are put together from columns: found where they are planted on every row, and only there."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.rules.evidence import TEXT_OF, Sample
from synthohive_spark.rules.forms import DATES, TEXTS, forms_of, number_forms
from synthohive_spark.rules.kinds.text import TextOfParts
from synthohive_spark.rules.kinds.written import Written

N = 600
RNG = np.random.default_rng(23)
SYLLABLES = ("ba", "co", "di", "fu", "ge", "ho", "ka", "li", "mo", "nu", "pa", "re")


def words(syllables: int, distinct: int = N) -> list[str]:
    known = ["".join(RNG.choice(SYLLABLES, syllables)).title() for _ in range(distinct)]
    return [known[i] for i in RNG.integers(0, distinct, N)]


KEY, NATION = list(range(1, N + 1)), RNG.integers(0, 25, N).tolist()
GIVEN, FAMILY = words(2), words(3)
COMPANY = [f"{a} {b}" for a, b in zip(words(2), words(4), strict=True)]
DAY = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in RNG.integers(0, 900, N)]
COLUMNS: dict[str, Any] = {
    "key": KEY,
    "nation": NATION,
    "given": GIVEN,
    "family": FAMILY,
    "company": COMPANY,
    "day": DAY,
}


def found(**columns: Any) -> dict[str, str]:
    """{column: its law, as SQL over names}."""
    arrays = {n: pa.array(v) for n, v in columns.items()}
    ids = {n: f"{'c' if n.startswith('parents') else 'v'}{i}" for i, n in enumerate(arrays)}
    kinds = {"int64": "bigint", "string": "string", "date32[day]": "date"}
    types = {ids[n]: kinds[str(a.type)] for n, a in arrays.items()}
    table = {ids[n]: a for n, a in arrays.items()}
    texts = {i + TEXT_OF: a for i, a in table.items() if types[i] == "string"}
    names = {i: n for n, i in ids.items()}
    own = frozenset(i for i in names if i.startswith("v"))
    laws = TextOfParts().search(Sample.of(pa.table({**table, **texts}), types, own, frozenset(names)))
    return {names[law.target]: law.expression(names, types) for law in laws}


@pytest.mark.parametrize(
    ("made", "sql"),
    [
        (
            [f"Customer#{k:09d}" for k in KEY],
            "concat('Customer#', if(length(cast(key as string)) < 9, lpad(cast(key as string), 9, '0'), "
            "cast(key as string)))",
        ),
        ([f"AW-{k + 100}" for k in KEY], "concat('AW-', cast(try_add(key, 100) as string))"),
        (
            [f"{g}.{f}@example.org".lower() for g, f in zip(GIVEN, FAMILY, strict=True)],
            "concat(lower(given), '.', lower(family), '@example.org')",
        ),
        (
            [f"{g[0]}{f}".lower() for g, f in zip(GIVEN, FAMILY, strict=True)],
            "concat(lower(left(given, 1)), lower(family))",
        ),
        ([f"{f}, {g}" for g, f in zip(GIVEN, FAMILY, strict=True)], "concat(family, ', ', given)"),
        (
            [f"https://{c.lower().replace(' ', '-')}.example.com/" for c in COMPANY],
            "concat('https://', regexp_replace(lower(company), '[^a-z0-9]+', '-'), '.example.com/')",
        ),
        ([g.upper() for g in GIVEN], "upper(given)"),
        (
            [f"{d:%Y%m%d}-{k}" for d, k in zip(DAY, KEY, strict=True)],
            "concat(date_format(day, 'yyyyMMdd'), '-', cast(key as string))",
        ),
        (["It's {a} \\ " + g for g in GIVEN], "concat('It\\'s {a} \\\\ ', given)"),
    ],
)
def test_a_text_of_columns_is_found_and_one_that_nearly_is_one_is_not(made: list[str], sql: str) -> None:
    assert found(**COLUMNS, made=made).get("made") == sql
    near = [m if i % 33 else made[(i + 7) % N] for i, m in enumerate(made)]
    assert found(**COLUMNS, made=near) == {}


def test_a_part_of_a_text_follows_and_the_rest_stays() -> None:
    phone = [f"{n + 10}-{RNG.integers(100, 999)}-{RNG.integers(1000, 9999)}" for n in NATION]
    assert found(**COLUMNS, phone=phone)["phone"] == (
        "if(phone is null, null, coalesce(if(phone rlike '^[0-9]+', concat(cast(try_add(nation, 10) as string), "
        "regexp_replace(phone, '^[0-9]+', '')), phone), phone))"
    )
    code = [f"X{n}/{g[:2].upper()}/{RNG.integers(1000, 9999)}" for n, g in zip(NATION, GIVEN, strict=True)]
    made = found(**COLUMNS, code=code)["code"]
    assert "upper(left(given, 2))" in made
    assert "cast(nation as string)" in made


def test_a_text_may_begin_with_one_of_an_ancestor() -> None:
    code = [f"{a.upper()}/{i:04d}" for a, i in zip(FAMILY, KEY, strict=True)]
    assert found(key=KEY, parents_code=FAMILY, code=code)["code"].startswith(
        "concat(upper(parents_code), '/', if(length("
    )


def test_what_is_drawn_stays_between_what_follows() -> None:
    mail = [f"{g.lower()}{RNG.integers(0, 9)}@big-firm.com" for g in GIVEN]
    assert found(given=GIVEN, mail=mail)["mail"] == (
        r"if(mail is null, null, coalesce(if(mail rlike '^\\p{L}+[0-9]+@\\p{L}+\\-\\p{L}+\\.\\p{L}+', "
        r"concat(lower(given), regexp_extract(mail, '^\\p{L}+([0-9]+)', 1), '@', 'big', '-', 'firm', '.', 'com', "
        r"regexp_replace(mail, '^\\p{L}+[0-9]+@\\p{L}+\\-\\p{L}+\\.\\p{L}+', '')), mail), mail))"
    )


def test_a_part_that_is_null_is_left_out() -> None:
    middle = [None if i % 3 else g[:1] + "." for i, g in enumerate(words(2))]
    full = [" ".join(p for p in parts if p) for parts in zip(GIVEN, middle, FAMILY, strict=True)]
    law = found(given=GIVEN, middle=middle, family=FAMILY, full=full)["full"]
    assert law == "concat(given, coalesce(concat(' ', middle), ''), ' ', family)"


def test_null_where_a_part_is_not_known() -> None:
    some = [None if i % 5 == 0 else g for i, g in enumerate(GIVEN)]
    nick = [None if g is None else f"~{g}" for g in some]
    assert found(some=some, nick=nick)["nick"] == "concat('~', some)"
    fewer = [None if i % 3 == 0 else n for i, n in enumerate(nick)]
    assert found(some=some, nick=fewer)["nick"] == "if(nick is null, null, coalesce(concat('~', some), nick))"


def test_nothing_is_made_of_texts_that_have_nothing_to_do_with_each_other() -> None:
    others = {
        "state": words(1, 5),
        "note": [f"{a} {b} {c}" for a, b, c in zip(words(2), words(1), words(3), strict=True)],
    }
    codes = [f"{RNG.integers(0, 9)}{RNG.integers(0, 99):02d}-{RNG.integers(0, 25)}" for _ in range(N)]
    assert found(**COLUMNS, **others, codes=codes) == {}


@pytest.mark.spark
def test_forms_are_in_spark_what_they_are_in_python(spark: SparkSession) -> None:
    texts = ["Ada Lovelace", "de la Cruz", "Ünal-Öz 2", "x", "O'Neill  & Sons", "", "東京 都"]
    days = [dt.date(1999, 12, 31), dt.date(2024, 2, 29), dt.date(801, 1, 5)]
    for makers, values in ((TEXTS, texts), (DATES, days)):
        rows = spark.createDataFrame([(i, v) for i, v in enumerate(values)], ["i", "v"]).orderBy("i")
        made = rows.selectExpr(*(sql.format("v") for sql in makers)).collect()
        assert [list(row) for row in made] == [[make(v) for make in makers.values()] for v in values]
    keys, codes = [7, 42, 12_345], ["00017", "00052", "12355"]
    columns = {"v0": pa.array(keys), "v1": pa.array(codes), "v1:text": pa.array(codes)}
    sample = Sample.of(pa.table(columns), {"v0": "bigint", "v1": "string"}, {"v1"}, {"v0"})
    forms = [*number_forms(forms_of(sample, sample.columns[1], np.arange(3)), codes)]
    rows = spark.createDataFrame([(k,) for k in keys], ["v"]).orderBy("v")
    made = rows.selectExpr(*(form.sql.format("v") for form in forms)).collect()
    assert [tuple(row) for row in made] == [*zip(*(form.values for form in forms), strict=True)]
    assert any(list(form.values) == codes for form in forms)


@pytest.mark.parametrize("personal", [True, False])
def test_letters_of_a_key_are_told_by_categories_but_not_by_personal_columns(personal: bool) -> None:
    kinds = np.random.default_rng(0).choice(["steel", "paint", "food"], 300).tolist()
    keys = [f"{ {'steel': 'ST', 'paint': 'HP', 'food': 'F'}[kind] }-{i:04d}" for i, kind in enumerate(kinds)]
    table = pa.table({"v0": keys, "v1": kinds, f"v0{TEXT_OF}": keys, f"v1{TEXT_OF}": kinds})
    sample = Sample.of(table, {"v0": "string", "v1": "string"}, (), set() if personal else {"v1"})
    found = Written().search(replace(sample, written=frozenset({"v0"}), least=5))
    assert [law.inputs for law in found] == ([] if personal else [("v1",)])
