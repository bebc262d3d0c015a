"""Which columns are written as fakes, and how those look: styles measured in the source, never a value of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.personal import is_faked
from synthohive_spark.privacy.fakes import plan as form
from synthohive_spark.privacy.fakes.lists import ANYWHERE, country_of, known_countries
from synthohive_spark.privacy.fakes.plan import FAKED, TEXTS, Fake, FakeRows
from synthohive_spark.privacy.meaning.found import Meaning
from synthohive_spark.privacy.meaning.headings import spelled
from synthohive_spark.privacy.support import Support
from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.privacy.words.plan import TextPlan
from synthohive_spark.schema.columns import Treatment
from synthohive_spark.sql import quote
from synthohive_spark.tables import TEXT

NUMBERED = ("email", "user_name", "phone", "iban", "card", "url", "domain")  # kinds of which no two values are alike
NAMED = ("given_name", "family_name", "person")
HELD = (*NAMED, "company", "street", "user_name")  # kinds whose words no fake is made of
NAMELESS = ("unknown", "category")  # kinds of names that nothing explains
PLACED = ("street", "city", "region", "country", "postal_code")
MOSTLY = 0.9  # of the values that are written in some way
TITLED, SMALL = 0.7, r"(^|\s)\p{Ll}"  # of the names of jobs, some of which have words as "of" in them
ERROR, LIKELY = 0.01, 0.97  # of the estimate of different texts; so many by it may be as many as texts
MOST_WORDS, BITS = 8_192, 4  # words of names that a filter holds, and bits for each: one in five others is found too
MANY = 100  # countries that are told apart
SHORT, THREE = 3.5, 2.5  # characters on average: codes are shorter
LATIN = r"^[\p{IsLatin}\p{M}\P{L}]*$"
WORDS = r"[^\p{L}]+"  # between them
SALT = "held"


def faked_kinds(
    types: Mapping[str, str], meanings: Mapping[str, Meaning], treated: Mapping[str, Treatment], but: Collection[str]
) -> dict[str, form.Kind]:
    """{text column: the kind of fakes that it is written as, if no model learns it}.

    Args:
        types: Spark type of each column.
        meanings: what columns mean.
        treated: what is done with the personal ones.
        but: columns that stay as they are.
    """
    found = {}
    for column, spark_type in types.items():
        personal, meaning = treated.get(column), meanings.get(column)
        kind = personal.kind if personal is not None else _kind(meaning)
        open_ = personal is None or is_faked(personal.action)
        if open_ and kind in FAKED and spark_type.startswith(TEXT) and column not in but:
            found[column] = FAKED[kind]
    return found


def _kind(meaning: Meaning | None) -> str:
    """The kind of fakes of a column that is not personal."""
    if meaning is None:
        return ""
    return "words" if meaning.words and meaning.kind in NAMELESS else meaning.kind


def fakes(frame: DataFrame, kinds: Mapping[str, form.Kind], widths: Mapping[str, int]) -> dict[str, Fake]:
    """How the fakes of some columns look, in one aggregation.

    Args:
        frame: the table.
        kinds: {column: kind}, in the order of the table.
        widths: {column: characters that it holds}.
    """
    if not kinds:
        return {}
    said = frame.agg(*(part for i, (c, kind) in enumerate(kinds.items()) for part in _style(i, c, kind))).first()
    assert said is not None
    nth = _nth(kinds)
    return {
        c: Fake(
            kind=kind,
            nth=nth[c],
            case=_case(said, i, kind) if kind not in TEXTS else "name",
            form=_form(said, i, kind),
            text=TextPlan(distinct=_distinct(said, i)) if kind in TEXTS else None,
            many=max(1, min(said[f"distinct{i}"] or 0, MANY)) if kind == "country" else 1,
            width=widths.get(c),
        )
        for i, (c, kind) in enumerate(kinds.items())
    }


def _distinct(said: Any, i: int) -> float:
    """The share of texts that are different."""
    share = (said[f"distinct{i}"] or 0) / max(1, said[f"known{i}"] or 0)
    return 1.0 if share > LIKELY else max(share, 0.001)


def _style(i: int, column: str, kind: str) -> list[Column]:
    text = F.col(quote(column))
    told = {
        "upper": text == F.upper(text),
        "lower": text == F.lower(text),
        "title": ~text.rlike(SMALL),
        "comma": text.contains(", "),
        "digits": text.rlike("^[0-9]+$"),
        "length": F.length(text),
    }
    shares = [F.avg(value.cast("double")).alias(f"{name}{i}") for name, value in told.items()]
    if kind in (*TEXTS, "country"):
        shares += [F.approx_count_distinct(text, ERROR).alias(f"distinct{i}"), F.count(text).alias(f"known{i}")]
    return shares


def _case(said: Any, i: int, kind: str) -> Literal["name", "upper", "lower", "title"]:
    if (said[f"digits{i}"] or 0) > 1 - MOSTLY:
        return "name"
    if (said[f"upper{i}"] or 0) >= MOSTLY:
        return "upper"
    if (said[f"lower{i}"] or 0) >= MOSTLY:
        return "lower"
    return "title" if kind == "job" and (said[f"title{i}"] or 0) >= TITLED else "name"


def _form(said: Any, i: int, kind: str) -> form.Form:
    length = said[f"length{i}"] or 0.0
    if kind in ("region", "country") and 0 < length < SHORT:
        return "three" if kind == "country" and length > THREE else "short"
    if kind in ("phone", "postal_code") and (said[f"digits{i}"] or 0) >= MOSTLY:
        return "digits"
    return "comma" if kind == "person" and (said[f"comma{i}"] or 0) >= MOSTLY else "plain"


def _nth(kinds: Mapping[str, str]) -> dict[str, int]:
    """Which person, company or place of the row each column is of: the n-th of its kind."""
    seen, found = Counter[str](), dict[str, int]()
    for column, kind in kinds.items():
        found[column], seen[kind] = seen[kind], seen[kind] + 1
    people = max((seen[kind] for kind in NAMED), default=0)
    spots = {c: found[c] for c, kind in kinds.items() if kind in PLACED}
    for column, kind in kinds.items():
        if kind in ("email", "user_name", "courtesy") and people:
            found[column] = min(found[column], people - 1)
        elif kind == "phone":
            found[column] = _alike(column, spots)
        elif kind in ("url", "domain", "iban", "card", *TEXTS, "job"):
            found[column] = 0
    return found


def _alike(column: str, others: Mapping[str, int]) -> int:
    """The number of the other column whose name begins most like this one's; 0 without."""
    own = spelled(column).split()

    def shared(other: str) -> int:
        pairs = zip(own, spelled(other).split(), strict=False)
        return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(own), len(spelled(other).split())))

    best = max(others, key=shared, default=None)
    return others[best] if best is not None and shared(best) else 0


def fake_rows(
    frame: DataFrame,
    made: Mapping[str, Fake],
    meanings: Mapping[str, Meaning],
    above: Mapping[str, Meaning],
    held: WordFilter,
) -> FakeRows:
    """What the fakes of a row have in common.

    Args:
        frame: the table.
        made: its fakes.
        meanings: what its columns mean.
        above: what columns of ancestors mean, by their names in the context.
        held: words of the source's personal columns.
    """

    def of(kind: str, among: Mapping[str, Meaning]) -> list[str]:
        return [c for c, m in among.items() if m.kind == kind and c not in made]

    names = [c for c, fake in made.items() if fake.kind in (*NAMED, "company", "street")]
    countries = of("country", meanings) or of("country", above)[:1]
    genders = of("gender", meanings) or of("courtesy", meanings)
    locales = Counter(m.locale for m in meanings.values() if m.locale is not None)
    language = max(locales, key=lambda name: (locales[name], name))[:2] if locales else ""
    homes = (code for code, country in known_countries().items() if country.names[:2] == language)
    return FakeRows(
        countries=tuple(countries),
        genders=tuple(genders),
        home=next(homes, ANYWHERE),
        many=max((fake.many for fake in made.values()), default=1),
        latin=_latin(frame, names),
        held=held,
    )


def nulls_by_country(frame: DataFrame, column: str, country: str, support: Support) -> dict[str, float]:
    """{code of a country: share of nulls of a column there}, of countries of enough people; "" for all others.

    Args:
        frame: the table, as ``support`` counts it.
        column: that has nulls.
        country: the column that names the country.
        support: what fewer people share is not told apart.
    """
    counts = (
        F.count(F.lit(1)).alias("rows"),
        F.count(F.col(quote(column))).alias("set"),
        support.count().alias("held"),
    )
    each = frame.groupBy(F.col(quote(country)).alias("country")).agg(*counts)
    kept = F.when(F.col("held") >= support.least, F.col("country"))
    grouped = each.groupBy(kept.alias("country")).agg(F.sum("rows").alias("rows"), F.sum("set").alias("set"))
    told = defaultdict[str, list[int]](lambda: [0, 0])
    for row in grouped.orderBy(F.desc("rows"), "country").limit(MANY).collect():
        code = country_of(row["country"]) if row["country"] is not None else ""
        if code is not None:
            told[code] = [told[code][0] + row["rows"], told[code][1] + row["set"]]
    return {code: 1 - given / n for code, (n, given) in told.items() if code or n >= support.least}


def _latin(frame: DataFrame, columns: Sequence[str]) -> bool:
    if not columns:
        return True
    shares = [F.avg(F.col(quote(c)).rlike(LATIN).cast("double")).alias(f"s{i}") for i, c in enumerate(columns)]
    row = frame.agg(*shares).first()
    known = [s for s in row if s is not None] if row is not None else []
    return not known or sum(known) / len(known) > 0.5


def held_words(tables: Mapping[str, DataFrame], columns: Mapping[str, Collection[str]], seed: str) -> WordFilter:
    """A filter of the words of personal columns; none where there are so many that they hold most names of any list.

    Args:
        tables: rows, by table.
        columns: {table: its columns of names}.
        seed: what the hashes hang on.
    """
    words = [
        tables[t].select(F.explode(F.split(F.lower(F.col(quote(c))), WORDS)).alias("word"))
        for t, each in columns.items()
        for c in each
    ]
    if not words:
        return WordFilter()
    every = words[0]
    for more in words[1:]:
        every = every.unionAll(more)
    hashed = F.crc32(F.concat(F.lit(seed), F.col("word")).cast("binary"))  # as ``place_of``
    rows = every.where(F.length("word") > 1).select(hashed.alias("h")).distinct().limit(MOST_WORDS + 1).collect()
    if len(rows) > MOST_WORDS:
        return WordFilter()
    size = -(-len(rows) * BITS // 8) * 8
    return WordFilter.of((r["h"] % size for r in rows), size, seed) if rows else WordFilter()
