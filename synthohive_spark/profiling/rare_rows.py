"""Which combinations of learnt values only few people have: one query over all tables; only filters come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.privacy.rare_rows import RareRows, fewest, filter_text
from synthohive_spark.randomness import seed_of
from synthohive_spark.rules.kinds.aggregate import aggregates
from synthohive_spark.rules.kinds.null_implication import NullWhere
from synthohive_spark.schema.people import People
from synthohive_spark.schema.row_hashes import Hashes, row_hash
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.worker import forget_archives


def rare_rows(plans: Plans, people: People) -> dict[str, RareRows]:
    """{table: which rows of the source are no rows of the copy}; tables without such rows are left out.

    Args:
        plans: of all tables.
        people: behind the rows of the source.
    """
    asked = {name: columns for name in plans if (columns := _compared(name, plans, people))}
    if not asked:
        return {}
    salts = {name: seed_of(name, "rare rows") for name in asked}
    frames = [
        _rare(name, [(c, plans[name].columns.types()[c]) for c in columns], salts[name], people).select(
            F.lit(i).alias("place"), "hash"
        )
        for i, (name, columns) in enumerate(asked.items())
    ]
    held = reduce(DataFrame.unionAll, frames).repartition(len(asked), "place").sortWithinPartitions("place")
    rows = held.mapInArrow(FilterTask(), "place int, bits string").collect()  # a row per table
    bits = {r["place"]: r["bits"] for r in rows}
    return {
        name: RareRows(columns=columns, salt=salts[name], bits=bits[i])
        for i, (name, columns) in enumerate(asked.items())
        if i in bits
    }


def _compared(name: str, plans: Plans, people: People) -> tuple[str, ...]:
    """The columns that a model draws: no keys, and nothing that Spark computes anew, or from children later on."""
    plan = plans[name]
    if plan.reference or not plan.rows:
        return ()
    computed = [*aggregates(plan.rules), *(r for r in plan.rules.each if r.sql and not isinstance(r, NullWhere))]
    left = {*people.source.metadata.tables[name].key_columns, *(rule.column for rule in computed)}
    return tuple(c for c in plan.columns.named("model") if c not in left)


def _rare(name: str, columns: Sequence[tuple[str, str]], salt: int, people: People) -> DataFrame:
    """The hashes of the rows of a table that are too few people's."""
    support, hashed = people.support(name), row_hash(columns, salt).alias("hash")
    counted = people.frame(name).select(hashed, *support.columns).groupBy("hash").agg(support.count().alias("n"))
    return counted.where(F.col("n") < people.k)


@dataclass(frozen=True)
class FilterTask:
    """What the tasks run, as the function of ``mapInArrow``: hashes of tables in, one filter for each out."""

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """All rows of one table come behind each other."""
        forget_archives()
        current, held = -1, np.zeros(0, np.uint64)
        for batch in batches:
            place, hashes = batch["place"].to_numpy(), batch["hash"].to_numpy().view(np.uint64)
            for one in np.unique(place).tolist():
                if one != current and len(held):
                    yield _row(current, held)
                    held = np.zeros(0, np.uint64)
                current, held = one, fewest(np.concatenate([held, hashes[place == one]]))
        if len(held):
            yield _row(current, held)


def _row(place: int, hashes: Hashes) -> pa.RecordBatch:
    kinds = pa.schema([("place", pa.int32()), ("bits", pa.string())])
    return pa.RecordBatch.from_pydict({"place": [place], "bits": [filter_text(hashes)]}, schema=kinds)
