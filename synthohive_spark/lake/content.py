"""A hash of a table's content that does not depend on the order of its rows, nor on files or partitions."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from synthohive_spark.nested import flat
from synthohive_spark.sql import quote
from synthohive_spark.tables import is_carried

HALF = 2**64  # each half of the hash is a sum modulo this


def content_hash(frame: DataFrame) -> str:
    """128 bits in hex: two independent 64-bit row hashes, each summed over the rows modulo 2**64.

    Sums, unlike exclusive-or, see repeated rows. Equal content gives equal hashes; one Spark job, one row comes back.
    """
    frame = flat(frame)
    types = {f.name: f.dataType.simpleString() for f in frame.schema.fields}
    own = {c: F.col(quote(c)) for c in frame.columns}
    columns = [own[c] if is_carried(t) else own[c].isNull() for c, t in types.items()]  # Spark hashes no maps
    halves = [F.sum(F.xxhash64(F.lit(salt), *columns).cast("decimal(20,0)")) for salt in (0, 1)]
    row = frame.agg(*(h.alias(f"half{i}") for i, h in enumerate(halves))).first()
    assert row is not None
    return "".join(f"{int(row[f'half{i}'] or 0) % HALF:016x}" for i in range(2))
