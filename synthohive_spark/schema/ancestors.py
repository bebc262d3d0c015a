"""What a row sees of its ancestors: the same joins for the search of rules, for training and for generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.schema import frames
from synthohive_spark.schema.context import ContextPlan
from synthohive_spark.schema.keys import ForeignKeyPlan, KeysPlan
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey

Reader = Callable[[str], DataFrame]
Paths = Mapping[int, tuple[int, ...]]
SEEN = ("driving", "drawn", "bound")  # roles of keys whose parents' columns a row sees
ABOVE = "#above"  # begins the name of a column that lies behind a key of a table; no column of a table has it


@dataclass(frozen=True)
class Ancestors:
    """Joins for the rows of one table.

    Attributes:
        table: its name.
        context: what its rows see.
        keys: keys of all tables, by name.
        read: rows of tables, by name.
    """

    table: str
    context: ContextPlan
    keys: Mapping[str, KeysPlan]
    read: Reader

    def beside(self, frame: DataFrame, own: Sequence[Column]) -> DataFrame:
        """Rows of the table with what they see of their ancestors.

        Args:
            frame: rows of the table.
            own: what is kept of them.

        Returns:
            ``own``, and the context as ``frames.context``, in the plan's order.
        """
        keys = [
            (fk, [frames.key(fk.position, i) for i in range(len(fk.columns))])
            for fk in self.keys[self.table].foreign
            if fk.role in SEEN
        ]
        held = [F.col(quote(c)).alias(k) for fk, names in keys for c, k in zip(fk.columns, names, strict=True)]
        kept = frame.select(*own).columns
        rows = frame.select(*own, *held)
        for fk, names in keys:
            wanted, degree = self.context.behind(fk.position), self.context.degree(fk.position)
            if wanted:
                rows = _joined(rows, self.parents(fk, wanted), names)
            if degree is not None:
                named = [F.col(quote(c)).alias(frames.referenced(i)) for i, c in enumerate(fk.columns)]
                counts = self.read(self.table).groupBy(*named).agg(F.count("*").alias(frames.context(degree)))
                rows = _joined(rows, counts, names)
        return rows.select(*map(quote, kept), *(frames.context(i) for i in range(len(self.context.each))))

    def beside_named(self, frame: DataFrame, names: Collection[str]) -> DataFrame:
        """Rows of the table with some of the context, which is called ``frames.hidden`` of its name, as rules call it.

        Args:
            frame: rows of the table.
            names: of columns of the context.
        """
        context = ContextPlan(each=tuple(c for c in self.context.each if c.name in names))
        if not context.each:
            return frame
        rows = replace(self, context=context).beside(frame, [F.col(quote(c)) for c in frame.columns])
        return rows.withColumnsRenamed({frames.context(i): frames.hidden(c.name) for i, c in enumerate(context.each)})

    def parents(self, fk: ForeignKeyPlan, wanted: Paths) -> DataFrame:
        """The parent behind a key, row by row: ``own_rows`` with ``with_higher``."""
        return self.with_higher(self.own_rows(fk, wanted), fk, wanted)

    def own_rows(self, fk: ForeignKeyPlan, wanted: Paths | None = None, extra: Sequence[str] = ()) -> DataFrame:
        """The rows of the parent behind a key, with what lies in its own table.

        Args:
            fk: a key of the table, or of an ancestor.
            wanted: places in the context, with the path of keys that leads on from that parent; all behind the key by
                default.
            extra: further columns of the parent, or behind one of its keys (``above``).

        Returns:
            Its referenced columns as ``__key0``.., the extra ones as ``__extra0``.., the wanted context, and as
            ``__up2_0``.. the key, by its position, that leads to the rest of it, or each of the keys that do.
        """
        wanted = self.context.behind(fk.position) if wanted is None else wanted
        held = [(f"__up{up.position}_{n}", c) for up in self._upward(fk, wanted) for n, c in enumerate(up.columns)]
        each, theirs = self.context.each, self.keys[fk.references]
        return with_above(self.read(fk.references), extra, theirs.at, self.read).select(
            *(F.col(quote(r)).alias(frames.referenced(n)) for n, r in enumerate(fk.referenced_columns)),
            *(F.col(quote(e)).alias(frames.extra(n)) for n, e in enumerate(extra)),
            *(F.col(quote(each[i].column)).alias(frames.context(i)) for i, path in wanted.items() if not path),
            *(F.col(quote(c)).alias(name) for name, c in held),
        )

    def with_higher(self, frame: DataFrame, fk: ForeignKeyPlan, wanted: Paths | None = None) -> DataFrame:
        """Join the context that ``own_rows`` found to lie higher up; ``__up2_0``.. are dropped."""
        wanted = self.context.behind(fk.position) if wanted is None else wanted
        for up in self._upward(fk, wanted):
            above = {i: path[1:] for i, path in wanted.items() if path and path[0] == up.position}
            width = range(len(up.columns))
            higher = self.parents(up, above).select(
                *(F.col(frames.referenced(n)).alias(f"__above{n}") for n in width), *(frames.context(i) for i in above)
            )
            own = [f"__up{up.position}_{n}" for n in width]
            frame = frame.join(higher, [F.col(c) == F.col(f"__above{n}") for n, c in enumerate(own)], "left")
            frame = frame.drop(*own, *(f"__above{n}" for n in width))
        return frame

    def _upward(self, fk: ForeignKeyPlan, wanted: Paths) -> list[ForeignKeyPlan]:
        """The keys of the parent that lead to the context above it; none if all of it lies in the parent."""
        return [self.keys[fk.references].at(first) for first in sorted({path[0] for path in wanted.values() if path})]


def above(position: int, column: str) -> str:
    """The name of a column of the table that one of a table's keys leads to."""
    return f"{ABOVE}{position}:{column}"


def with_above(
    frame: DataFrame, names: Iterable[str], key: Callable[[int], ForeignKey | ForeignKeyPlan], read: Reader
) -> DataFrame:
    """Rows of a table with those of some columns that ``above`` named.

    Args:
        frame: rows of the table.
        names: columns, its own ones too.
        key: its keys, by position.
        read: rows of tables, by name.
    """
    columns_of: dict[int, list[str]] = {}
    for name in (n for n in dict.fromkeys(names) if n.startswith(ABOVE)):
        place, _, column = name.removeprefix(ABOVE).partition(":")
        columns_of.setdefault(int(place), []).append(column)
    for position, columns in columns_of.items():
        fk = key(position)
        held = [f"__above{n}" for n in range(len(fk.columns))]
        parents = read(fk.references).select(
            *(F.col(quote(c)).alias(h) for c, h in zip(fk.referenced_columns, held, strict=True)),
            *(F.col(quote(c)).alias(above(position, c)) for c in columns),
        )
        same = [F.col(quote(c)) == F.col(h) for c, h in zip(fk.columns, held, strict=True)]
        frame = frame.join(parents, same, "left").drop(*held)
    return frame


def _joined(rows: DataFrame, parents: DataFrame, names: Sequence[str]) -> DataFrame:
    """Rows with their parents' columns; ``names`` hold the key."""
    same = [F.col(c) == F.col(frames.referenced(i)) for i, c in enumerate(names)]
    return rows.join(parents, same, "left").drop(*(frames.referenced(i) for i in range(len(names))))


def group_text(columns: Sequence[Column], types: Sequence[str] = ()) -> Column:
    """The name of a group: equal where the columns are equal, whatever integer type they have; null where one is null.

    Args:
        columns: what its members agree in; none for a single group.
        types: their Spark types, where binary ones may be among them.
    """
    if not columns:
        return F.lit("=")
    kinds = [*types, *[""] * (len(columns) - len(types))]
    text = [F.hex(c) if kind == "binary" else c.cast("string") for c, kind in zip(columns, kinds, strict=True)]
    if len(text) == 1:
        return F.concat(F.lit("="), text[0])
    return F.concat(F.lit("="), *(part for t in text for part in (F.length(t).cast("string"), F.lit(":"), t)))
