"""The source lake: one pinned Delta version per table for the whole run, checked before any work starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from synthohive_spark.errors import SchemaValidationError, SourceDataError
from synthohive_spark.graph import KeyPath
from synthohive_spark.lake.declared import declared_problems, unanswered
from synthohive_spark.lake.design import Design, design_of, properties_within
from synthohive_spark.lake.held import Held
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import TableRef
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import Metadata
from synthohive_spark.nested import flat, uncommented
from synthohive_spark.parallel import side_by_side
from synthohive_spark.session import sized
from synthohive_spark.sql import quote
from synthohive_spark.tables import Constraint, ForeignKey

log = get_logger(__name__)
NULL, REPEATED, ORPHAN = "null", "repeated", "orphan"  # what may be wrong with a key
PARENTS = "parents"  # distinct ones behind a foreign key, by an estimate


@dataclass(frozen=True)
class SourceLake:
    """Source tables at pinned versions, with orphans treated as the metadata says.

    Attributes:
        versions: the pinned Delta version of each table.
        rows: rows of each table after orphans were treated; filled in by ``check_source``.
        parents: {table: {columns of a foreign key: distinct parents behind it, by an estimate}}; likewise.
        declared: what people said of the tables, where ``metadata`` leaves out keys that no row has.
        keep_comments: the copy has the comments of the source.
        implied: {table: {position of a key that follows from the others: how}}, as far as it was looked for.
        _whole: tables as they lie in the lake: Delta builds a snapshot for each read.
        _raw: these without the columns that are left out.
        _counts: rows of these.
        _frames: tables whose foreign keys resolve; a table without orphans is the one that lies in the lake.
    """

    io: DeltaIO
    metadata: Metadata
    refs: Mapping[str, TableRef]
    versions: Mapping[str, int]
    rows: Mapping[str, int]
    parents: Mapping[str, Mapping[tuple[str, ...], int]] = field(default_factory=dict)
    declared: Metadata | None = None
    keep_comments: bool = False
    implied: Mapping[str, Mapping[int, KeyPath]] = field(default_factory=dict)
    _whole: dict[str, DataFrame] = field(default_factory=dict, repr=False)
    _raw: dict[str, DataFrame] = field(default_factory=dict, repr=False)
    _designs: dict[str, Design] = field(default_factory=dict, repr=False)
    _counts: dict[str, int] = field(default_factory=dict, repr=False)
    _frames: dict[str, DataFrame] = field(default_factory=dict, repr=False)

    def whole(self, table: str) -> DataFrame:
        """A table as it lies in the lake, at its pinned version, but for its structs, which lie flat."""
        if table not in self._whole:
            spec = self.metadata.tables[table]
            rows = self.io.read_dataset(self.refs[table], self.versions[table])
            self._whole[table] = flat(rows, spec.unread)
        return self._whole[table]

    def raw(self, table: str) -> DataFrame:
        """A table as it lies in the lake, without the columns that are left out."""
        if table not in self._raw:
            whole, gone = self.whole(table), self.left_out(table)
            self._raw[table] = (
                whole.select(*(F.col(quote(c)) for c in whole.columns if c not in gone)) if gone else whole
            )
        return self._raw[table]

    def left_out(self, table: str) -> list[str]:
        """Columns of a table whose values are not read."""
        types = {f.name: f.dataType.simpleString() for f in self.whole(table).schema.fields}
        return self.metadata.tables[table].left_out(types)

    def design(self, table: str) -> Design:
        """What a table declares beside its columns, as far as columns that are left out have no part in it."""
        if table not in self._designs:
            found, raw = design_of(self.whole(table).sparkSession, self.refs[table]), self.raw(table)
            lost = [name for name, sql in found.checks.items() if not _resolves(raw, sql)]
            there = {*self.copied_schema(table).fieldNames()}
            parted, clustered = {*found.partitions} <= there, {*found.clustering} <= there
            properties = properties_within(found.properties, there)
            left = [*(f"check {name}" for name in lost), *([] if parted else ["partitions"])]
            left += [*([] if clustered else ["clustering"])]
            left += [f"property {name}" for name in found.properties.keys() - properties.keys()]
            kept = {
                "checks": {name: sql for name, sql in found.checks.items() if name not in lost},
                "partitions": found.partitions if parted else (),
                "clustering": found.clustering if clustered else (),
                "properties": properties,
                "generated": {c: sql for c, sql in found.generated.items() if c in raw.columns and _resolves(raw, sql)},
                "comment": found.comment if self.keep_comments else None,
                "left": (*found.left, *left),
            }
            self._designs[table] = found.model_copy(update=kept)
        return self._designs[table]

    def copied_schema(self, table: str) -> StructType:
        """The schema of the copy: the source's, without the columns that are left out and may not be null.

        It has the comments only where ``keep_comments`` says so: people write names into them.
        """
        gone = self.left_out(table)
        fields = [f for f in self.whole(table).schema.fields if f.name not in gone or _writable(f)]
        return StructType(fields if self.keep_comments else [uncommented(f) for f in fields])

    def count(self, table: str) -> int:
        """Rows of a table as it lies in the lake; Delta knows them without reading any."""
        if table not in self._counts:
            self._counts[table] = self.raw(table).count()
        return self._counts[table]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep small tables in memory for the block, with the settings for a lake of this size."""
        counts = side_by_side(self.count, self.metadata.tables)
        cells = sum(rows * len(self.schema(table)) for table, rows in counts.items())
        spark = self.raw(next(iter(counts))).sparkSession
        with sized(spark, cells), Held() as memory:
            for table, rows in counts.items():
                self._raw[table] = memory.keep(self.raw(table), rows)
            yield

    def resolves(self, table: str) -> None:
        """Take note that a table has no orphans: no question about it need look for them again."""
        self._frames[table] = self.raw(table)

    def schema(self, table: str) -> StructType:
        """The table's schema: names, types, nullability, comments."""
        return self.raw(table).schema

    def frame(self, table: str) -> DataFrame:
        """A table whose foreign keys all resolve: orphans are dropped or set to null as the metadata says."""
        if table not in self._frames:
            self._frames[table] = self._treated(table)
        return self._frames[table]

    def _treated(self, table: str) -> DataFrame:
        frame = self.raw(table)
        keys = (self.declared or self.metadata).tables[table].foreign_keys
        for fk in sorted(keys, key=lambda k: k.references == table):  # a table's own rows are known last
            if fk.orphans == "error":
                continue
            own = fk.references == table  # such a key can only be set to null: no row leaves with another
            parents = _parent_keys(frame if own else self.frame(fk.references), fk)
            if fk.orphans == "drop":
                keep = frame.join(parents, [F.col(quote(c)) == F.col(k) for c, k in _pairs(fk)], "leftsemi")
                free = frame.where(_any_null(fk))
                frame = keep.unionByName(free) if fk.nullable else keep
            else:
                joined = frame.join(parents, [F.col(quote(c)) == F.col(k) for c, k in _pairs(fk)], "left")
                lost = F.col(parents.columns[0]).isNull()
                frame = joined.select(
                    *(
                        F.when(lost, F.lit(None)).otherwise(F.col(quote(c))).alias(c)
                        if c in fk.columns
                        else F.col(quote(c))
                        for c in frame.columns
                    )
                )
        return frame


def _resolves(frame: DataFrame, sql: str) -> bool:
    """Whether an expression names columns of the frame alone; no row is read."""
    try:
        return bool(frame.select(F.expr(sql)).schema.fields)
    except AnalysisException:
        return False


def _writable(field: StructField) -> bool:
    """Whether a column can be null on every row of the copy; Delta has no name for the type of nulls alone."""
    return field.nullable and field.dataType.simpleString() != "void"


def pin_source(
    io: DeltaIO,
    metadata: Metadata,
    refs: Mapping[str, TableRef],
    versions: Mapping[str, int] | None = None,
    timestamp: str | None = None,
) -> SourceLake:
    """Pin one Delta version per table and check every schema against the metadata; no row is read.

    Args:
        io: the lake's reader.
        metadata: what the user says of the tables.
        refs: where each table lies.
        versions: versions that the user chose; the newest otherwise.
        timestamp: pins the version of that moment for the other tables.

    Raises:
        SourceDataError: tables are missing; all of them are named.
        SchemaValidationError: columns or types do not fit the metadata.
    """
    newest = side_by_side(lambda t: io.version(refs[t]), metadata.tables)
    missing = [f"{t} ({refs[t].sql})" for t, v in newest.items() if v is None]
    if missing:
        raise SourceDataError(f"not Delta tables: {', '.join(missing)}; ingest them (jobs/ingest.py) or correct source")
    if timestamp is not None:
        newest = side_by_side(lambda t: io.version(refs[t], timestamp), metadata.tables)
    pinned = {t: (versions or {}).get(t, v) for t, v in newest.items()}
    young = [t for t, v in pinned.items() if v is None]
    if young:
        raise SourceDataError(
            f"{', '.join(young)}: no version is as old as source.timestamp {timestamp}; pin a later one"
        )
    source = SourceLake(io, metadata, refs, {t: v for t, v in pinned.items() if v is not None}, {})
    metadata.validate_schema({t: source.whole(t).schema for t in metadata.tables})
    wrong = side_by_side(lambda t: declared_problems(t, metadata.tables[t], source.raw(t)), metadata.tables)
    if any(wrong.values()):
        raise SchemaValidationError(line for lines in wrong.values() for line in lines)
    for table in metadata.tables:
        gone, kept = source.left_out(table), source.copied_schema(table).fieldNames()
        if gone:
            null = [c for c in gone if c in kept]
            log.info("columns_left_out", table=table, null=null, absent=[c for c in gone if c not in kept])
    return source


def check_source(source: SourceLake) -> SourceLake:
    """Check keys and orphans of every table in Spark, and count rows.

    Returns:
        The same source with ``rows`` filled in: what remains after orphans were treated. Its metadata has what the
        tables themselves declare of their rows.

    Raises:
        SourceDataError: if no table has rows; with every primary key with nulls or repeated values, every
            referenced key that is not unique, and every orphan under the policy ``error``.
    """
    checked = side_by_side(lambda table: _check_table(source, table), source.metadata.tables)
    problems = [p for found, _, _ in checked.values() for p in found]
    rows = {table: count for table, (_, count, _) in checked.items()}
    if not any(rows.values()) and not problems:
        problems = ["no table has rows, so there is nothing to learn; fill one"]
    if problems:
        raise SourceDataError("\n  - ".join([f"the source has {len(problems)} problem(s):", *problems]))
    parents = {table: behind for table, (_, _, behind) in checked.items()}
    return replace(source, rows=rows, parents=parents, metadata=_with_designs(source))


def _with_designs(source: SourceLake) -> Metadata:
    """The metadata with what tables themselves declare: a CHECK holds on every row, a generated column follows."""
    tables = dict(source.metadata.tables)
    for name, design in side_by_side(source.design, tables).items():
        spec = tables[name]
        checks = [Constraint(expression=f"({sql}) is true") for sql in design.checks.values()]
        others = [law for law in spec.constraints if law.expression not in design.checks.values()]
        generated = {c: sql for c, sql in design.generated.items() if c not in {*spec.key_columns, *spec.derived}}
        derived = {**spec.derived, **generated}
        tables[name] = spec.model_copy(
            update={"constraints": (*others, *spec.declared_rules, *checks), "derived": derived}
        )
        if design.left:
            log.warning("not_carried", table=name, what=list(design.left))
    return source.metadata.with_tables(tables)


def _check_table(source: SourceLake, table: str) -> tuple[list[str], int, dict[tuple[str, ...], int]]:
    spec = source.metadata.tables[table]
    total = source.count(table)
    if not total:
        log.info("source_checked", table=table, rows=0, usable_rows=0, version=source.versions[table])
        return [], 0, {}
    named = {
        fk.referenced_columns
        for other in source.metadata.tables.values()
        for fk in other.foreign_keys
        if fk.references == table and set(fk.referenced_columns) != set(spec.primary_key)
    }
    keys = [*([("primary key", spec.primary_key)] if spec.primary_key else [])]
    keys += [("referenced columns", columns) for columns in sorted(named)]
    faults = _faults(source, table, [columns for _, columns in keys])
    problems = [
        f"{table}: {what} {problem}"
        for i, (what, columns) in enumerate(keys)
        for problem in _key_problems(columns, faults.get((i, NULL), 0), faults.get((i, REPEATED), 0))
    ]
    if broken := unanswered(table, spec, source.raw(table)):
        raise SchemaValidationError(broken)
    remain = total
    for i, fk in enumerate(spec.foreign_keys):
        orphans = faults.get((i, ORPHAN), 0)
        if orphans and fk.orphans == "error":
            problems.append(
                f"{table}({', '.join(fk.columns)}): {orphans} rows have no row in {fk.references}; "
                "mend the source, or set orphans to 'drop' or 'null' in the metadata"
            )
        elif orphans:
            log.info("orphans_treated", table=table, key=list(fk.columns), policy=fk.orphans, rows=orphans)
    if not any(kind == ORPHAN for _, kind in faults):
        source.resolves(table)
    else:
        remain = source.frame(table).count()
    if not remain:
        problems.append(f"{table}: no row is left once orphans are dropped; check its foreign keys")
    log.info("source_checked", table=table, rows=total, usable_rows=remain, version=source.versions[table])
    parents = {fk.columns: faults.get((i, PARENTS), 0) for i, fk in enumerate(spec.foreign_keys)}
    return problems, remain, parents


def _faults(source: SourceLake, table: str, keys: list[tuple[str, ...]]) -> dict[tuple[int, str], int]:
    """Rows that break each key of a table, in one query: most of what a query of a small table costs is fixed.

    Args:
        source: the source.
        table: the table.
        keys: columns that must be set and unique.

    Returns:
        {(position among ``keys``, NULL or REPEATED) or (position of a foreign key, ORPHAN): rows}, without zeros; and
        {(position of a foreign key, PARENTS): parents}.
    """
    raw, found = source.raw(table), list[DataFrame]()
    for i, columns in enumerate(keys):
        cols = [F.col(quote(c)) for c in columns]
        null = reduce(lambda a, b: a | b, [c.isNull() for c in cols])
        grouped = raw.groupBy(*cols).agg(F.count(F.lit(1)).alias("__n")).where(null | (F.col("__n") > 1))
        kind, rows = F.when(null, NULL).otherwise(REPEATED), F.when(null, F.col("__n")).otherwise(F.col("__n") - 1)
        found.append(grouped.select(F.lit(i).alias("key"), kind.alias("kind"), rows.alias("rows")))
    for i, fk in enumerate(source.metadata.tables[table].foreign_keys):
        orphans = _orphans(raw, source.frame(fk.references), fk)
        found.append(
            orphans.select(F.lit(i).alias("key"), F.lit(ORPHAN).alias("kind"), F.lit(1).cast("long").alias("rows"))
        )
    if not found:
        return {}
    behind = [
        F.struct(F.lit(i).alias("key"), F.approx_count_distinct(_hashed(fk)).alias("rows"))
        for i, fk in enumerate(source.metadata.tables[table].foreign_keys)
    ]
    if behind:
        told = raw.agg(F.array(*behind).alias("each")).select(F.inline("each"))
        found.append(told.select("key", F.lit(PARENTS).alias("kind"), "rows"))
    each = reduce(DataFrame.unionAll, found).groupBy("key", "kind").agg(F.sum("rows").alias("rows"))
    return {(r["key"], r["kind"]): int(r["rows"]) for r in each.collect()}


def _key_problems(columns: tuple[str, ...], nulls: int, repeated: int) -> list[str]:
    name, problems = ", ".join(columns), []
    if nulls:
        problems.append(f"({name}) is null in {nulls} rows; a key must be set on every row")
    if repeated:
        problems.append(f"({name}) is not unique: {repeated} rows repeat it; choose columns that are")
    return problems


def _orphans(child: DataFrame, parent: DataFrame, fk: ForeignKey) -> DataFrame:
    """Rows whose key is set and that no parent has."""
    keys = _parent_keys(parent, fk)
    set_rows = child.where(~_any_null(fk))
    return set_rows.join(keys, [F.col(quote(c)) == F.col(k) for c, k in _pairs(fk)], "leftanti")


def _parent_keys(parent: DataFrame, fk: ForeignKey) -> DataFrame:
    return parent.select(*(F.col(quote(r)).alias(f"__parent_{i}") for i, r in enumerate(fk.referenced_columns)))


def _pairs(fk: ForeignKey) -> list[tuple[str, str]]:
    return [(c, f"__parent_{i}") for i, c in enumerate(fk.columns)]


def _hashed(fk: ForeignKey) -> Column:
    """Who the parent of a row is; null where it has none."""
    return F.when(~_any_null(fk), F.xxhash64(*(F.col(quote(c)) for c in fk.columns)))


def _any_null(fk: ForeignKey) -> Column:
    return reduce(lambda a, b: a | b, [F.col(quote(c)).isNull() for c in fk.columns])
