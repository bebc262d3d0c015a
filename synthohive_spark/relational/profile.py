"""Plans from Spark aggregates of the source: roles, laws, formats. Nothing here grows with the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark import graph
from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.location import quote
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import INTEGRAL, ForeignKey
from synthohive_spark.metadata import Table as TableSpec
from synthohive_spark.privacy.shapes import key_masks, shape_plans
from synthohive_spark.relational.keyformat import KeyFormat
from synthohive_spark.relational.linkage import LinkageModel, Method
from synthohive_spark.relational.plan import (
    ColumnPlan,
    ContextColumn,
    ForeignKeyPlan,
    KeyRole,
    Role,
    SequencePlan,
    TablePlan,
)

log = get_logger(__name__)
LAW_STEPS = 2_000  # distinct counts of children that a law keeps
TEXT_SHARE = 0.5  # a string column is text where more of its rows hold rare values


def plan_tables(source: SourceLake, min_subjects: int, method: Method = "empirical") -> dict[str, TablePlan]:
    """Plan every table, parents first.

    Args:
        source: the checked source.
        min_subjects: rows that must hold a value before it may be learnt.
        method: the law of children per parent.

    Raises:
        SchemaValidationError: with every key shape that cannot be generated.
    """
    tables = source.metadata.tables
    problems = [p for name, spec in tables.items() for p in _unsupported(name, spec, tables, source.rows)]
    if problems:
        raise SchemaValidationError(problems)
    plans: dict[str, TablePlan] = {}
    for stage in graph.stages(tables):
        for name in stage:
            plans[name] = _plan(name, source, plans, min_subjects, method)
            log.debug("table_planned", table=name, roles={c.name: c.role for c in plans[name].columns})
    return plans


def key_roles(
    name: str, spec: TableSpec, tables: Mapping[str, TableSpec], rows: Mapping[str, int]
) -> dict[int, KeyRole]:
    """The role of each foreign key by its position: driving, drawn or implied."""
    driving = graph.driving_key(name, spec, rows)
    order = sorted(range(len(spec.foreign_keys)), key=lambda i: -len(spec.foreign_keys[i].columns))
    roles: dict[int, KeyRole] = {}
    for i in order:
        fk = spec.foreign_keys[i]
        wider = [spec.foreign_keys[j] for j in roles]
        if fk is driving:
            roles[i] = "driving"
        else:
            roles[i] = "implied" if any(_implies(w, fk, tables[w.references]) for w in wider) else "drawn"
    return roles


def _implies(wider: ForeignKey, fk: ForeignKey, parent: TableSpec) -> bool:
    """Whether the parent behind ``wider`` has itself a key to the table of ``fk``, over the same columns."""
    if not set(fk.columns) <= set(wider.columns):
        return False
    up = dict(zip(wider.columns, wider.referenced_columns, strict=True))
    through = tuple(up[c] for c in fk.columns)
    return any(
        other.references == fk.references
        and dict(zip(other.columns, other.referenced_columns, strict=True))
        == dict(zip(through, fk.referenced_columns, strict=True))
        for other in parent.foreign_keys
    )


def _unsupported(name: str, spec: TableSpec, tables: Mapping[str, TableSpec], rows: Mapping[str, int]) -> list[str]:
    problems = []
    roles = key_roles(name, spec, tables, rows)
    taken: dict[str, int] = {}
    for i, fk in enumerate(spec.foreign_keys):
        place = f"{name}.foreign_keys({', '.join(fk.columns)})"
        if fk.references == name:
            problems.append(f"{place}: keys of a table to itself cannot be generated yet; leave the key out")
        if roles[i] == "implied":
            continue
        shared = [c for c in fk.columns if c in taken]
        if shared:
            problems.append(
                f"{place}: shares {', '.join(shared)} with another key and neither implies the other; "
                "such overlapping keys cannot be generated yet"
            )
        taken.update(dict.fromkeys(fk.columns, i))
    free = [c for c in spec.primary_key if c not in taken]
    driving = graph.driving_key(name, spec, rows)
    if len(spec.primary_key) > 1 and not free and not (driving and set(spec.primary_key) <= set(driving.columns)):
        problems.append(f"{name}.primary_key: link tables (a key of foreign keys alone) cannot be generated yet")
    if len(spec.primary_key) > 1 and driving is None:
        problems.append(f"{name}.primary_key: a composite key of a table without parents cannot be generated yet")
    return problems


def _plan(
    name: str, source: SourceLake, plans: Mapping[str, TablePlan], min_subjects: int, method: Method
) -> TablePlan:
    spec, frame = source.metadata.tables[name], source.frame(name)
    fks = _foreign_keys(name, source, frame, method)
    driving = next((fk for fk in fks if fk.role == "driving"), None)
    foreign = {c for fk in fks for c in fk.columns}
    free = [c for c in spec.primary_key if c not in foreign]
    inside = driving is not None and set(driving.columns) <= set(spec.primary_key)
    alone = inside and driving is not None and {*driving.columns, *free} == set(spec.primary_key)
    types = {f.name: f.dataType.simpleString() for f in source.schema(name).fields}
    roles: dict[str, Role] = dict.fromkeys(types, "model")
    roles.update(dict.fromkeys(spec.derived, "derived"))
    roles.update(dict.fromkeys(foreign, "foreign"))
    surrogate, sequence, tiebreak = None, None, None
    unit_columns: tuple[str, ...] = ()
    if len(spec.primary_key) == 1 and free:
        surrogate, roles[free[0]] = (
            _format(frame, free[0], types[free[0]], source.rows[name], min_subjects),
            "surrogate",
        )
    elif alone and len(free) == 1 and driving is not None and _countable(types[free[0]]):
        sequence, roles[free[0]] = _sequence(frame, driving.columns, free[0], types[free[0]]), "sequence"
    elif free:
        tiebreak = _widest(frame, free, types)
    if driving is not None:
        up = dict(zip(driving.columns, driving.referenced_columns, strict=True))
        shared = [up[c] for c in driving.columns if c in spec.primary_key]
        unit_columns = tuple(driving.referenced_columns if inside or tiebreak is None or not shared else shared)
    shapes = shape_plans(frame, spec, [c for c, r in roles.items() if r == "model"], types, min_subjects, TEXT_SHARE)
    roles.update(dict.fromkeys([c for c in shapes if c != tiebreak], "shape"))
    return TablePlan(
        table=name,
        rows=source.rows[name],
        spark_schema=source.schema(name).jsonValue(),
        primary_key=spec.primary_key,
        columns=tuple(ColumnPlan(name=c, type=t, role=roles[c]) for c, t in types.items()),
        foreign_keys=fks,
        context=_context(fks, spec, plans),
        unit_columns=unit_columns,
        surrogate=surrogate,
        sequence=sequence,
        tiebreak=tiebreak,
        shapes=shapes,
        derived=dict(spec.derived),
        bounds=spec.constraints,
        reference=spec.reference,
    )


def _foreign_keys(name: str, source: SourceLake, frame: DataFrame, method: Method) -> tuple[ForeignKeyPlan, ...]:
    spec = source.metadata.tables[name]
    roles = key_roles(name, spec, source.metadata.tables, source.rows)
    plans = []
    for i, fk in enumerate(spec.foreign_keys):
        set_rows = frame.dropna(subset=[quote(c) if "." in c else c for c in fk.columns])
        families = set_rows.groupBy(*(F.col(quote(c)) for c in fk.columns)).agg(F.count(F.lit(1)).alias("children"))
        histogram = families.groupBy("children").agg(F.count(F.lit(1)).alias("parents"))
        rows = histogram.orderBy("children").limit(LAW_STEPS * 50).collect()
        law = {int(r["children"]): int(r["parents"]) for r in rows}
        children = sum(v * n for v, n in law.items())
        law[0] = max(0, source.rows[fk.references] - sum(law.values()))
        plans.append(
            ForeignKeyPlan(
                position=i,
                columns=fk.columns,
                references=fk.references,
                referenced_columns=fk.referenced_columns,
                role=roles[i],
                null_share=1.0 - children / max(source.rows[name], 1),
                law=LinkageModel(method).fit(_thinned(law)).to_dict(),
            )
        )
    return tuple(plans)


def _thinned(law: dict[int, int]) -> dict[int, int]:
    """A law of at most LAW_STEPS distinct counts: neighbours above are merged at their mean."""
    if len(law) <= LAW_STEPS:
        return law
    merged: dict[int, int] = {}
    ordered = sorted(law.items())
    width = math.ceil(len(ordered) / LAW_STEPS)
    for i in range(0, len(ordered), width):
        part = ordered[i : i + width]
        parents = sum(n for _, n in part)
        value = round(sum(v * n for v, n in part) / max(parents, 1))
        merged[value] = merged.get(value, 0) + parents
    return merged


def _countable(spark_type: str) -> bool:
    return spark_type in INTEGRAL or spark_type in ("date", "timestamp", "timestamp_ntz")


def _kind(spark_type: str) -> Any:
    if spark_type in INTEGRAL:
        return "integer"
    return {"date": "date", "timestamp": "timestamp", "timestamp_ntz": "timestamp"}.get(spark_type, "string")


def as_number(column: str, spark_type: str) -> Any:
    """A countable column as a long: the number itself, days or microseconds since 1970."""
    c = F.col(quote(column))
    if spark_type == "date":
        return F.unix_date(c).cast("long")
    if spark_type == "timestamp":
        return F.unix_micros(c)
    if spark_type == "timestamp_ntz":
        return F.unix_micros(c.cast("timestamp"))
    return c.cast("long")


def _format(frame: DataFrame, column: str, spark_type: str, rows: int, min_subjects: int) -> KeyFormat:
    if not _countable(spark_type):
        return KeyFormat(kind="string", masks=key_masks(frame, column, rows, min_subjects))
    number = as_number(column, spark_type)
    ends = frame.agg(F.min(number).alias("low"), F.max(number).alias("high")).first()
    if ends is None or ends["low"] is None:
        return KeyFormat(kind=_kind(spark_type), start=1)
    step = (ends["high"] - ends["low"]) // max(rows - 1, 1)
    return KeyFormat(kind=_kind(spark_type), start=ends["low"], step=max(1, step))


def _sequence(frame: DataFrame, family: tuple[str, ...], column: str, spark_type: str) -> SequencePlan:
    """Domain, step and start of the key column that tells a family's rows apart."""
    keys = [F.col(quote(c)) for c in family]
    number = as_number(column, spark_type)
    slim = frame.select(*(k.alias(f"k{i}") for i, k in enumerate(keys)), number.alias("v"))
    names = [f"k{i}" for i in range(len(keys))]
    gaps = slim.withColumn("gap", F.col("v") - F.lag("v").over(Window.partitionBy(*names).orderBy("v")))
    common = gaps.dropna(subset=["gap"]).groupBy("gap").agg(F.count(F.lit(1)).alias("n"))
    top = common.orderBy(F.desc("n"), "gap").first()
    total = common.agg(F.sum("n").alias("n")).first()
    ends = slim.agg(F.min("v").alias("low"), F.max("v").alias("high")).first()
    low, high = (ends["low"], ends["high"]) if ends is not None else (0, 0)
    step = max(1, int(top["gap"])) if top is not None else 1
    consecutive = top is not None and total is not None and top["n"] >= 0.8 * total["n"]
    if not consecutive:
        step = 1 if spark_type in INTEGRAL or spark_type == "date" else step
    firsts = slim.groupBy(*names).agg(F.min("v").alias("first"))
    quantiles = firsts.agg(F.percentile_approx("first", [i / 20 for i in range(21)], 1000).alias("q")).first()
    starts = sorted({(int(q) - low) // step for q in quantiles["q"]}) if quantiles and quantiles["q"] else [0]
    return SequencePlan(
        column=column,
        format=KeyFormat(kind=_kind(spark_type), start=low, step=step),
        size=(high - low) // step + 1,
        consecutive=consecutive,
        starts=tuple(starts),
    )


def _widest(frame: DataFrame, free: list[str], types: Mapping[str, str]) -> str:
    """The key column with the most distinct values: the one that is drawn again where a key would repeat."""
    row = frame.agg(*(F.approx_count_distinct(F.col(quote(c))).alias(f"n{i}") for i, c in enumerate(free))).first()
    counts = [row[f"n{i}"] if row is not None else 0 for i in range(len(free))]
    return max(zip(counts, free, strict=True), key=lambda pair: (_countable(types[pair[1]]), pair[0]))[1]


def _context(
    fks: tuple[ForeignKeyPlan, ...], spec: TableSpec, plans: Mapping[str, TablePlan]
) -> tuple[ContextColumn, ...]:
    """What the model sees of the ancestors: the driving parent with its own context, and each drawn parent's row."""
    columns: list[ContextColumn] = []
    for fk in fks:
        if fk.role == "implied":
            continue
        parent, name = plans[fk.references], "+".join(fk.columns)
        wanted = spec.parent_context_cols if fk.role == "driving" else None
        columns += [
            ContextColumn(name=f"{name}:{c.name}", path=(fk.position,), column=c.name, type=c.type)
            for c in parent.columns
            if c.role in ("model", "sequence", "derived") and (wanted is None or c.name in wanted)
        ]
        if fk.role == "driving" and wanted is None:
            columns += [
                ContextColumn(name=f"{name}:{c.name}", path=(fk.position, *c.path), column=c.column, type=c.type)
                for c in parent.context
                if c.path[0] == getattr(parent.driving, "position", None)
            ]
    return tuple(columns)
