"""``evaluate``: every table of the real lake against its synthetic counterpart."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from pyspark.sql import DataFrame

from synthohive_spark import graph
from synthohive_spark.errors import SourceDataError
from synthohive_spark.evaluation import columns, integrity, relations
from synthohive_spark.evaluation.kinds import kind_of, plan
from synthohive_spark.evaluation.profile import profiles
from synthohive_spark.evaluation.scores import Evaluation, TableEvaluation
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import Metadata

TABLES_AT_ONCE = 4
log = get_logger(__name__)


def evaluate(metadata: Metadata, real: Mapping[str, DataFrame], synthetic: Mapping[str, DataFrame]) -> Evaluation:
    """Compare synthetic tables with real ones: keys, columns, correlations, children per parent.

    All rows are read, all counting is done in Spark, and what the driver receives does not grow with the rows.
    A table is read about five times; give frames that are cheap to read again (Delta tables, cached frames).

    Args:
        metadata: the tables, their keys and personal columns.
        real: {table: frame}, every table of the metadata.
        synthetic: the same.

    Returns:
        The evaluation; ``.score``, ``.failures``, ``.check(fail_under)``, ``.to_dict()``.

    Raises:
        SourceDataError: a table or a column is missing, or a column has another kind of type on the other side.
    """
    found = _problems(metadata, real, synthetic)
    if found:
        raise SourceDataError("\n  - ".join(["the tables cannot be compared:", *found]))
    with ThreadPoolExecutor(TABLES_AT_ONCE) as pool:  # most of the queries are too small to fill a cluster
        running = [
            pool.submit(copy_context().run, _evaluate_table, name, metadata, real, synthetic)
            for name in metadata.tables
        ]
        tables = tuple(job.result() for job in running)
    return Evaluation(tables, tuple(tuple(stage) for stage in graph.stages(metadata.tables)))


def _evaluate_table(
    name: str, metadata: Metadata, real: Mapping[str, DataFrame], synthetic: Mapping[str, DataFrame]
) -> TableEvaluation:
    began = time.monotonic()
    table, original, copy = metadata.tables[name], real[name], synthetic[name]
    what = plan(table, original)
    real_profile, synthetic_profile = profiles(original, copy, what)
    compared = columns.compare(original, copy, what, real_profile, synthetic_profile)
    families = relations.families(name, table.foreign_keys, real, synthetic)
    result = TableEvaluation(
        table=name,
        real_rows=real_profile.rows,
        synthetic_rows=synthetic_profile.rows,
        columns=compared.scored,
        skipped=compared.skipped,
        primary_key=integrity.primary_key(copy, table.primary_key),
        foreign_keys=tuple(
            integrity.foreign_key(fk, i, sides, real_profile, synthetic_profile)
            for i, (fk, sides) in enumerate(zip(table.foreign_keys, families, strict=True))
        ),
        pairs=compared.pairs,
    )
    log.info(
        "table_evaluated",
        table=name,
        score=result.score,
        failures=len(result.failures),
        rows=result.synthetic_rows,
        seconds=round(time.monotonic() - began, 2),
    )
    return result


def _problems(metadata: Metadata, real: Mapping[str, DataFrame], synthetic: Mapping[str, DataFrame]) -> list[str]:
    found = [
        f"{name}: not among the {side} tables; evaluate needs every table of the metadata"
        for name in metadata.tables
        for side, frames in (("real", real), ("synthetic", synthetic))
        if name not in frames
    ]
    for name, table in metadata.tables.items():
        if name not in real or name not in synthetic:
            continue
        copy = {f.name: f.dataType for f in synthetic[name].schema.fields}
        original = {f.name: f.dataType for f in real[name].schema.fields}
        keys = sorted(table.key_columns - set(original))
        found += [f"{name}.{c}: a key, and not in the real table; correct the metadata" for c in keys]
        for column, kind in original.items():
            if column not in copy:
                found.append(f"{name}.{column}: not in the synthetic table; generate it from the same source")
            elif _family(kind_of(kind)) != _family(kind_of(copy[column])):
                types = f"{kind.simpleString()} in the real table, {copy[column].simpleString()} in the synthetic one"
                found.append(f"{name}.{column}: {types}; generate it from the same source")
    return found


def _family(kind: str | None) -> str | None:
    return "number" if kind == "integer" else kind
