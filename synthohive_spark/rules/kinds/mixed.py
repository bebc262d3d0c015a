"""A text is a number where other columns say so: the value of an observation whose type is "numeric".

Numbers and texts are learnt apart. A number is learnt as its place among those of its category, where one gives it its
size: so a model need not know that a height is 170 and a weight 70. Which of both a row has, Spark decides in the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.privacy.support import Support
from synthohive_spark.randomness import Floats
from synthohive_spark.rules.branches import (
    Branch,
    Leaf,
    Way,
    at_leaves,
    case,
    from_json,
    inputs_of,
    leaves,
    merged,
    shallow,
    to_json,
)
from synthohive_spark.rules.evidence import ROWS, Sample
from synthohive_spark.rules.growing import NONE, NUMBER, WORD, grower
from synthohive_spark.rules.kind import WAY, Decided, Kind, Law, Searched
from synthohive_spark.rules.scales import Scale, scales, unexplained
from synthohive_spark.rules.sharpen import spoken
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.rule import Ancestor, Rule, worded
from synthohive_spark.sql import quote
from synthohive_spark.tables import TEXT

PATTERN = "'^-?[0-9]+([.][0-9]+)?$'"
PLACE = "#"  # behind the name of a column: the place of its number
SPLIT = "\x1f"  # between number and text of a row on its way to Spark
LEVELS = 2  # of questions
TEXTS, RARE = 1_000, 0.05  # texts beside the numbers, and the share of rows with rare ones, that a model can learn
CATEGORIES = (2, 256)  # values of a column that may give numbers their size
SIZES = "sizes"  # among the facts of a law: columns that may give numbers their size
KEPT = 2  # columns that do so best
HELPS = 0.5  # of the spread of sizes that such a column leaves at most


class MixedNumbers(Kind):
    """Texts of the row that are numbers on some rows, and on all of them where questions say so."""

    name = "mixed"
    order = 33
    views: ClassVar[Mapping[str, str]] = {"number": f"case when {{0}} rlike {PATTERN} then '0' end"}

    def search(self, sample: Sample) -> list[Law]:
        """Trees that leave nothing but numbers at some leaf, and texts at others."""
        found = []
        columns = {c.id: c for c in sample.columns}
        for view in sample.viewed("number"):
            target, number = columns[view.base], ~np.isnan(view.values)
            texts = ~np.isnan(target.values) & ~number
            if not target.target or min(number.sum(), texts.sum()) < ROWS:
                continue
            codes = np.where(number, 0, np.where(texts, 1, 2)).astype(np.int64)
            for way in grower(sample).trees(target, codes, [NUMBER, WORD, NONE])[:1]:
                told = _where_numbers(shallow(way, LEVELS))
                if isinstance(told, Branch):
                    sizes = [c.id for c in sample.targets if c is not target and _may_size(c.distinct, c.type)]
                    found.append(
                        Law(self.name, target.id, inputs_of(told), "", "part", facts={WAY: to_json(told), SIZES: sizes})
                    )
        return found

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The text; where it must be a number and is none, null."""
        own = names[law.target]
        return _case(from_json(law.data), names, types, (f"if({own} rlike {PATTERN}, {own}, null)", own))

    def measured(self, law: Law, frame: DataFrame, types: Mapping[str, str], support: Support) -> Law | None:
        """The law with the scales of its numbers; None where its texts are too many to be learnt."""
        text = F.col(quote(law.target))
        number = F.coalesce(text.rlike(PATTERN.strip("'")), F.lit(False))
        texts, sizes = (
            frame.where(~number & text.isNotNull()),
            (F.count(F.lit(1)).alias("n"), support.count().alias("held")),
        )
        counts = texts.groupBy(text).agg(*sizes)
        row = counts.agg(
            F.count(F.lit(1)).alias("texts"),
            F.sum("n").alias("rows"),
            F.sum(F.when(F.col("held") < support.least, F.col("n")).otherwise(0)).alias("rare"),
        ).first()
        if row is None or not row["rows"] or row["texts"] > TEXTS or row["rare"] > RARE * row["rows"]:
            return None
        numbers = frame.where(number)
        left = {c: unexplained(numbers, text, F.col(quote(c))) for c in law.facts[SIZES]}
        best = [c for c in sorted(left, key=lambda c: left[c]) if left[c] <= HELPS][:KEPT]
        whole = scales(numbers, text, None, support.least).get(None)
        if whole is None:
            return None
        kept = {
            c: {k: s.model_dump() for k, s in scales(numbers, text, F.col(quote(c)), support.least).items()}
            for c in best
        }
        return replace(law, facts={**law.facts, "scales": kept, "other": whole.model_dump()})

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per text that nothing else decides; the category is one that the model draws."""
        made = list[Rule]()
        for law in laws:
            column, state = table.names[law.target], law.facts
            if column in decided.valued | decided.nulls:
                continue
            own = table.references[law.target]
            text = f"if(contains({own}, chr(31)), split_part({own}, chr(31), 2), null)"
            parts = f"substring_index({own}, chr(31), 1)", text
            known = [c for c in state["scales"] if table.names[c] not in decided.whole]
            way = from_json(law.data)
            made.append(
                NumberOrText(
                    column=column,
                    expression=_case(way, table.references, table.types, parts),
                    shown=_case(way, table.references, table.types, ("a number", "a text")),
                    above=table.above(law.inputs),
                    category=table.names[known[0]] if known else None,
                    scales={k: Scale.model_validate(s) for k, s in state["scales"][known[0]].items()} if known else {},
                    other=Scale.model_validate(state["other"]),
                )
            )
        return made


def _may_size(distinct: int, kind: str) -> bool:
    fewest, most = CATEGORIES
    return fewest <= distinct <= most and kind.startswith((*TEXT, "int", "bigint", "smallint", "tinyint"))


def _where_numbers(way: Way) -> Way:
    """What a tree says of numbers: at each leaf that all are numbers, or nothing."""
    only = Leaf(((NUMBER, 1),))
    some = Leaf(((NUMBER, 1), (WORD, 1), (NONE, 1)), open=True)
    made = at_leaves(way, lambda leaf: only if leaf.values[0][0] == NUMBER and leaf.only else some)
    found = merged(made, lambda a, b: a.open == b.open)
    return found if any(not leaf.open for leaf in leaves(found)) else some


def _case(way: Way, names: Mapping[str, str], types: Mapping[str, str], parts: tuple[str, str]) -> str:
    return case(way, names, lambda c, v: spoken(types, c, v), lambda leaf: parts[leaf.open])


class NumberOrText(Rule):
    """A text is a number where other columns say so; the model draws both.

    Attributes:
        expression: Spark SQL that takes one of both.
        shown: the same as a person reads it.
        above: names of columns of ancestors in the context that the expression names.
        category: the column that gives numbers their size; None where none does.
        scales: of each of its values.
        other: of all numbers.
    """

    needs: ClassVar[Role | None] = "model"

    kind: Literal["mixed"] = "mixed"
    expression: str
    shown: str
    above: tuple[str, ...] = ()
    category: str | None = None
    scales: dict[str, Scale] = {}
    other: Scale

    @property
    def seen(self) -> tuple[str, ...]:
        """Columns of ancestors."""
        return self.above

    @property
    def sql(self) -> str | None:
        """The number or the text."""
        return self.expression

    def check(self, types: Mapping[str, str]) -> str | None:
        """Nothing: the expression takes apart what the model drew, which the copy does not hold any more."""
        return None

    @property
    def learnt(self) -> bool:
        """Its numbers may be rare: they are learnt as places."""
        return True

    def text(self, ancestor: Ancestor) -> str:
        """Where it is a number."""
        return worded(self.shown, self.above, ancestor)

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """The text and the place of the number; a row that has one of both gets the other from another row."""
        text = original[self.column]
        number = text.str.fullmatch(PATTERN.strip("'^$")).fillna(False).to_numpy(bool)
        rng = np.random.default_rng(seed)
        place = np.full(len(data), 0.5)
        numbers = pd.to_numeric(text.where(number)).to_numpy(np.float64)
        for scale, rows in self._by_scale(original, len(data)):
            at = rows[number[rows]]
            place[at] = scale.places(numbers[at], rng)
        if number.any():
            place[~number] = rng.choice(place[number], int((~number).sum()))
        order = np.arange(len(data))
        if not number.all():
            order[number] = rng.choice(np.flatnonzero(~number), int(number.sum()))
        words = text.iloc[order].reset_index(drop=True)
        made: dict[str, Any] = {self.column: words, f"{self.column}:{PLACE}": place}
        return data.assign(**made)

    def decode(self, data: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        """Both, as one text."""
        places: Floats = data[f"{self.column}:{PLACE}"].to_numpy(np.float64, na_value=np.nan)
        numbers = np.full(len(data), "", dtype=object)
        for scale, rows in self._by_scale(data, len(data)):
            numbers[rows] = scale.texts(places[rows])
        text = data[self.column]
        both: list[Any] = [n if t is None or t != t else f"{n}{SPLIT}{t}" for n, t in zip(numbers, text, strict=True)]
        return data.assign(**{self.column: pd.Series(both, index=data.index, dtype=object)})

    def _by_scale(self, data: pd.DataFrame, rows: int) -> list[tuple[Scale, Any]]:
        """Each scale with its rows."""
        if self.category is None or self.category not in data:
            return [(self.other, np.arange(rows))]
        category: Values = data[self.category].astype(object)
        names = category.map(lambda v: None if v is None or v != v else str(v))
        places = {k: np.flatnonzero((names == k).to_numpy()) for k in self.scales}
        rest = np.flatnonzero(~names.isin([*self.scales]).to_numpy())
        return [*((self.scales[k], at) for k, at in places.items()), (self.other, rest)]
