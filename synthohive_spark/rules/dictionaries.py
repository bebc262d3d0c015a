"""Spark's part in functions without a formula: whether each value has one, on all rows, and which, as a dictionary."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from synthohive_spark.privacy.support import Support
from synthohive_spark.rules.coded import COVER, LEAST_COVER, MOST_ENTRIES, NEARLY
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.dictionary import NULL, OTHER, key_text, seen, value_text
from synthohive_spark.rules.kinds.keyed import Keyed
from synthohive_spark.rules.kinds.near_dictionary import NearDictionary
from synthohive_spark.sql import quote
from synthohive_spark.tables import TEXT

MOST_GROUPS = 24  # columns, or pairs of them, by which a table is grouped to see what follows from them
PLACES = 32  # that the values of one determinant share, or those of all that a dictionary does not hold
MOST_KEYED = 512  # keys of the source whose values new keys may have
VALUES = 8  # of one determinant, the usual ones


@dataclass(frozen=True)
class Entries:
    """A dictionary, as ``Lookup`` holds it."""

    entries: dict[str, tuple[str, ...]]
    others: tuple[str, ...]
    odd: tuple[str, ...]
    agreed: float


@dataclass(frozen=True)
class Groups:
    """A table grouped by what others may follow from.

    Attributes:
        rows: of the table, as ``support`` counts them, columns named by id.
        types: Spark type of each.
        support: a value that fewer people hold is rare; an ancestor's too that fewer ancestors hold.
        holders: as ``Sample.holders``.
    """

    rows: DataFrame
    types: Mapping[str, str]
    support: Support
    holders: Mapping[str, tuple[str, ...]]

    def hold(self, laws: Sequence[Law]) -> list[Law]:
        """The laws that hold on every row, with what they reach, or on nearly all; by one query."""
        found = _by_inputs(laws)[:MOST_GROUPS]
        if not found:
            return []
        parts = [self._checked(i, own) for i, own in enumerate(found)]
        checked = {row["i"]: row for row in reduce(DataFrame.union, parts).collect()}  # a row per group
        return [made for i, own in enumerate(found) for made in self._lasting(own, checked[i])]

    def entries(self, laws: Sequence[Law]) -> dict[str, Entries]:
        """{target: its dictionary}; by one query."""
        if not laws:
            return {}
        rows = reduce(DataFrame.union, [self._listed(i, law) for i, law in enumerate(laws)]).collect()  # MOST_ENTRIES
        return {law.target: self._written(law, [r for r in rows if r["i"] == i]) for i, law in enumerate(laws)}

    def _written(self, law: Law, rows: Sequence[Row]) -> Entries:
        """The dictionary of a law, from its rows of ``_listed``."""
        listed = sorted((r for r in rows if r["key"] is not None), key=lambda r: (-r["n"], r["key"]))
        usual = {row["values"][0]["value"]: row["n"] for row in rows if row["key"] is None}
        every: dict[str, int] = {}
        for row in (r for r in listed if r["key"] != NULL):
            for pair in row["values"]:
                every[pair["value"]] = every.get(pair["value"], 0) + pair["n"]
        if law.kind == Keyed.name:  # whose keys are new ones in the copy: the plan holds none
            return Entries({}, tuple(row["values"][0]["value"] for row in listed[:MOST_KEYED]), (), 1.0)
        entries, agreed = {row["key"]: _chosen(row) for row in listed}, 1.0
        if law.kind == NearDictionary.name:
            agreed = sum(row["values"][0]["n"] for row in listed) / max(1, sum(row["n"] for row in listed))
        else:  # rows without a determinant may have several, which say nothing
            entries = {key: values for key, values in entries.items() if len(values) == 1}
        if law.reach == "part":  # of the others the model knows more
            return Entries(entries, (), (), agreed)
        if not usual:
            usual = every
        return Entries(entries, _shared(usual), _shared(every), agreed)

    def _checked(self, i: int, laws: Sequence[Law]) -> DataFrame:
        """One row: on how many groups each target has several values, where all inputs are set and where one is not.

        Of a law that holds nearly, ``broken`` is the share of the rows whose value is not the usual one.
        """
        n, often = F.col("n"), F.col("held") >= self.support.least
        keys = [F.expr(sql).alias(f"k{j}") for j, sql in enumerate(_seen(laws[0]))]
        known = reduce(Column.__and__, [F.col(f"k{j}").isNotNull() for j in range(len(keys))])
        if laws[0].kind == NearDictionary.name:
            pairs = self.rows.groupBy(*keys, laws[0].target).agg(*self._counts(laws[0]))
            sizes = (F.max(n).alias("most"), F.sum(n).alias("n"), F.sum("held").alias("held"))
            groups = pairs.groupBy(*(f"k{j}" for j in range(len(keys)))).agg(*sizes)
            broken = [F.sum(F.when(often, n - F.col("most"))) / F.sum(F.when(often, n))]
            apart = [F.lit(0)]
        else:
            values = [F.expr(value_text(quote(law.target))) for law in laws]
            least = [F.min(v).alias(f"l{j}") for j, v in enumerate(values)]
            most = [F.max(v).alias(f"m{j}") for j, v in enumerate(values)]
            groups = self.rows.groupBy(*keys).agg(*self._counts(laws[0]), *least, *most)
            differ = [F.col(f"l{j}") != F.col(f"m{j}") for j in range(len(laws))]
            broken, apart = [F.count_if(known & d) for d in differ], [F.count_if(~known & d) for d in differ]
        held = F.sum(F.when(known & often, n))
        return groups.agg(
            F.lit(i).alias("i"),
            F.array(*(b.cast("double") for b in broken)).alias("broken"),
            F.array(*(a.cast("bigint") for a in apart)).alias("apart"),
            (F.coalesce(held, F.lit(0)) / F.sum(F.when(known, n))).alias("cover"),
        )

    def _listed(self, i: int, law: Law) -> DataFrame:
        """The entries of a dictionary, and the usual values of what it does not hold (those without a key)."""
        key, value = F.expr(key_text(_seen(law))), F.expr(value_text(quote(law.target)))
        n, held = F.col("n"), F.col("held") >= self.support.least
        pairs = self.rows.groupBy(key.alias("key"), value.alias("value")).agg(*self._counts(law))
        counts = self.rows.groupBy(value.alias("value")).agg(self.support.count().alias("people"))
        common = counts.where(F.col("people") >= self.support.least)
        if law.kind == Keyed.name and self.support.several:  # the plan holds its values without their keys
            pairs = pairs.join(common, "value", "leftsemi")
        told = F.sort_array(F.collect_list(F.when(held, F.struct("n", "value"))), asc=False)
        first = F.max_by("value", F.struct("n", "value")).alias("value")
        sizes = (F.sum(n).alias("n"), F.sum("held").alias("held"))
        groups = pairs.groupBy("key").agg(*sizes, F.slice(told, 1, VALUES).alias("values"), first)
        often = groups.where(held & (F.size("values") > 0)).orderBy(F.desc("n"), "key").limit(MOST_ENTRIES)
        rare = groups.where(~held).groupBy("value").agg(*sizes)
        if self.support.several:  # one person may be behind several rare keys
            rare = rare.join(common, "value", "leftsemi")
        usual = rare.where(held).orderBy(F.desc("n"), "value").limit(PLACES)
        without = usual.select(F.lit(None).cast("string").alias("key"), "n", F.array(F.struct("n", "value")))
        return often.select("key", "n", "values").union(without).select(F.lit(i).alias("i"), "*")

    def _lasting(self, laws: Sequence[Law], checked: Row) -> list[Law]:
        """The laws of a group that hold, where the dictionary would hold most rows, or many of a text's."""
        near, cover = laws[0].kind == NearDictionary.name, checked["cover"] or 0.0
        texts = all(self.types[c].startswith(TEXT) for c in laws[0].inputs) and len(laws[0].inputs) == 1
        if cover < (LEAST_COVER if texts and not near and not laws[0].sql else COVER):
            return []
        if near:
            return [law for law in laws if 0 < (checked["broken"][0] or 0.0) <= 1 - NEARLY]
        kept = [(law, checked["apart"][j]) for j, law in enumerate(laws) if not checked["broken"][j]]
        return [replace(w, reach="part" if cover < COVER else "fill" if apart else "whole") for w, apart in kept]

    def _counts(self, law: Law) -> tuple[Column, Column]:
        """Rows that say something of their own as ``n``, and the people behind them as ``held``.

        Of what one ancestor holds there are as many as there are such ancestors. No plan holds a key of the source, so
        that its rows are enough.
        """
        keys = self.holders.get(law.inputs[0], ()) if len(law.inputs) == 1 else ()
        own = F.count_distinct(*keys) if keys else F.count(F.lit(1))
        held = F.least(own, self.support.count()) if self.support.several and law.kind != Keyed.name else own
        return own.alias("n"), held.alias("held")


def _by_inputs(laws: Sequence[Law]) -> list[list[Law]]:
    """Laws that one grouping checks, by what they follow from; those of whom most follows come first."""
    found: dict[tuple[str, ...], list[Law]] = {}
    for law in laws:
        alone = (law.kind, law.target) if law.kind == NearDictionary.name else ()
        found.setdefault((*law.inputs, law.sql, *alone), []).append(law)
    return sorted(found.values(), key=lambda own: (own[0].kind, len(own[0].inputs), -len(own)))


def _seen(law: Law) -> list[str]:
    """Spark SQL of what a law looks at."""
    return seen([quote(c) for c in law.inputs], law.sql)


def _chosen(row: Row) -> tuple[str, ...]:
    """The values of a determinant, each as often as its share of ``PLACES``; one value where no row has another."""
    first, *more = row["values"]
    told = {pair["value"]: pair["n"] for pair in more}
    told[OTHER] = row["n"] - first["n"] - sum(told.values())
    made = []
    for value, n in told.items():  # rounded up or down by chance, so that rare exceptions keep their share over all
        chance = zlib.crc32(f"{row['key']}{value}".encode()) / 2**32
        made += [value] * int(PLACES * n / row["n"] + chance if n else 0)
    return (*[first["value"]] * max(1, PLACES - len(made)), *made) if made else (first["value"],)


def _sorted(rows: Mapping[str, int]) -> list[str]:
    return sorted(rows, key=lambda v: (-rows[v], v))


def _shared(rows: Mapping[str, int]) -> tuple[str, ...]:
    """Values, each as often as its share of ``PLACES``; the usual ones at least once, as far as there are places."""
    total = sum(rows.values())
    made = [v for v in _sorted(rows)[:PLACES] for _ in range(max(1, round(PLACES * rows[v] / total)))]
    return tuple(made[:PLACES]) if made else (NULL,)
