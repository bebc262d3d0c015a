"""Columns inside a wider key that tell all rows apart by themselves: an order line's id that runs through the table.

Such a column is a key of its own. As a part of the wider one it would be told apart within its family only, and repeat
in every other one.
"""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import functions as F

from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.parallel import side_by_side
from synthohive_spark.profiling.unique_columns import LIKELY
from synthohive_spark.rules.evidence import ROWS
from synthohive_spark.sql import quote
from synthohive_spark.tables import INTEGRAL, TEXT, Table

log = get_logger(__name__)


def with_running_ids(source: SourceLake) -> SourceLake:
    """The source with columns of primary keys that are unique by themselves as declared keys."""
    tables = source.metadata.tables
    found = side_by_side(lambda name: _running(source, name), tables)
    known = {n: t.model_copy(update={"unique": (*t.unique, *((c,) for c in found[n]))}) for n, t in tables.items()}
    return replace(source, metadata=source.metadata.with_tables(known))


def _running(source: SourceLake, name: str) -> list[str]:
    """The columns of a table; counted exactly where an estimate allows it."""
    spec, rows = source.metadata.tables[name], source.rows[name]
    columns = _asked(spec, {f.name: f.dataType.simpleString() for f in source.schema(name).fields})
    if rows < ROWS or not columns:
        return []
    frame = source.frame(name)
    about = frame.agg(*(F.approx_count_distinct(quote(c)) for c in columns)).first()
    likely = [c for c, n in zip(columns, about or (), strict=True) if n > LIKELY * rows]
    exact = frame.agg(*(F.count_distinct(F.col(quote(c))) for c in likely)).first() if likely else ()
    found = [c for c, n in zip(likely, exact or (), strict=True) if n == rows]
    if found:
        log.info("keys_inside_keys", table=name, columns=found, why="each tells all rows apart by itself")
    return found


def _asked(spec: Table, types: dict[str, str]) -> list[str]:
    """Whole numbers and texts of a primary key that no other table says anything of; times may be unique by chance."""
    foreign = {c for fk in spec.foreign_keys for c in fk.columns}
    inside = spec.primary_key if len(spec.primary_key) > 1 else ()
    return [c for c in inside if c not in foreign and (types[c] in INTEGRAL or types[c].startswith(TEXT))]
