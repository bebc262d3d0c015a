"""Rules among the rows of one parent: candidates of a sample of whole families, checked by Spark on every row."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.logs import get_logger
from synthohive_spark.rules.evidence import COLUMNS, ROWS, Sample, family_of, read
from synthohive_spark.rules.kin.kind import KIN
from synthohive_spark.rules.kin.sample import SiblingSample
from synthohive_spark.rules.kinds import load
from synthohive_spark.rules.verify import BUCKETS, SAMPLE
from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import Ancestors
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.context import DEGREE, ContextColumn, ContextPlan
from synthohive_spark.schema.keys import KeysPlan
from synthohive_spark.schema.people import People
from synthohive_spark.schema.rule import KINDS, Rule
from synthohive_spark.sql import names_in, quote
from synthohive_spark.tables import Table
from synthohive_spark.worker import forget_archives

log = get_logger(__name__)
LONGEST = 10_000  # rows of a family in the sample
MOST = 64  # candidates that go on to the whole table
TIMES = 4  # dates and times by which siblings may be ordered
OWNER = "owner"
TEMPORAL = ("date", "time", "plain time")


@dataclass(frozen=True)
class SiblingSearcher:
    """What the search task runs, as the function of ``mapInArrow``: whole families in, candidate rules out as JSON.

    Attributes:
        types: {id of a column: its Spark type}; own ones are ``v0``.., those of the parent ``c0``..
        names: {id: name of the column, or of the parent's in the context}.
        family, orders, counted, drawn, least: as those of ``SiblingSample``.
    """

    types: dict[str, str]
    names: dict[str, str]
    family: tuple[str, ...]
    orders: tuple[str, ...]
    counted: frozenset[str]
    drawn: frozenset[str]
    least: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The whole sample in, one row per candidate out."""
        forget_archives()
        table = read(batches)
        found = self.found(table) if table is not None and table.num_rows >= ROWS else []
        texts = [rule.model_dump_json() for rule in found]
        yield pa.RecordBatch.from_pydict({"rule": texts}, schema=pa.schema([("rule", pa.string())]))

    def found(self, table: pa.Table) -> list[Rule]:
        """The candidates of a sample."""
        load()
        sample = self.sample(table)
        with np.errstate(all="ignore"):  # infinities of the source refute themselves
            return [rule for kind in kin() for rule in kind.search(sample)][:MOST]

    def sample(self, table: pa.Table) -> SiblingSample:
        """The sample as vectors."""
        owner = np.asarray(table.column(OWNER).to_numpy())
        order = np.argsort(owner, kind="stable")
        codes = np.unique(owner[order], return_inverse=True)[1].astype(np.int64)
        rows = Sample.of(table.drop_columns([OWNER]), self.types, (), ())
        columns, people = rows.columns, None if rows.people is None else rows.people[order]
        made = {self.names[c.id]: replace(c, values=c.values[order]) for c in columns if not c.above}
        above = {self.names[c.id]: replace(c, values=c.values[order]) for c in columns if c.above}
        orders = tuple(o for o in self.orders if o in made)
        return SiblingSample(
            *(made, above, codes, self.family, orders, self.counted & {*made}, self.drawn & {*made}, self.least),
            people=people,
        )


def kin() -> list[Any]:
    """All kinds, in the order in which their rules are applied."""
    load()
    return sorted(KIN.values(), key=lambda kind: kind.order)


@dataclass(frozen=True)
class SiblingTable:
    """One table, whose rows may have a driving parent.

    Attributes:
        keys, columns, rows: of its plan so far.
        spec: its metadata.
        people: its rows, and those behind them, who must hold a value before a rule may name it.
        ancestors: joins rows of its ancestors.
        taken: columns that other rules give.
    """

    keys: KeysPlan
    columns: ColumnsPlan
    rows: int
    spec: Table
    people: People
    ancestors: Ancestors
    taken: frozenset[str]

    @property
    def frame(self) -> DataFrame:
        """Its rows."""
        return self.people.source.frame(self.ancestors.table)

    @functools.cached_property
    def family(self) -> tuple[str, ...]:
        """Columns of the driving key."""
        driving = self.keys.driving
        return () if driving is None else driving.columns

    @functools.cached_property
    def types(self) -> dict[str, str]:
        """Types of the columns that the search looks at, by name."""
        closed = {*self.spec.personal, *self.spec.exclude, *self.family}
        known = [(n, t) for n, t in self.columns.types().items() if n not in closed and family_of(t)]
        return dict(known[:COLUMNS])

    @functools.cached_property
    def drawn(self) -> frozenset[str]:
        """Columns that the model draws, and that neither a key nor a person decides or bounds."""
        types, spec = self.columns.types(), self.spec
        closed = {*spec.key_columns, *spec.derived, *self.taken}
        for law in self.columns.bounds:
            closed |= {law.column} if law.column else names_in(law.expression or "", types)
        return frozenset(c for c in self.columns.named("model") if c in self.types and c not in closed)

    @functools.cached_property
    def counted(self) -> list[str]:
        """Columns that follow from a row's place in the family, or rise with its place in the table."""
        keys = self.keys
        found = [keys.sequence.column] if keys.sequence is not None and not keys.sequence.within else []
        found += [c for c, f in keys.positions.surrogate.items() if f.kind in ("integer", "date", "timestamp")]
        return [c for c in found if c in self.types]

    @functools.cached_property
    def above(self) -> dict[str, ContextColumn]:
        """What rows see of their driving parent, by its id."""
        driving = self.keys.driving
        assert driving is not None
        seen = [c for c in self.ancestors.context.each if c.path == (driving.position,) and c.column != DEGREE]
        personal = self.people.source.metadata.personal(driving.references)
        kept = [c for c in seen if c.meaning and not c.passing and family_of(c.type) and c.column not in personal]
        return {f"c{i}": c for i, c in enumerate(kept)}

    def laws(self) -> list[Rule]:
        """Rules that hold on every row; which of them are kept depends on others."""
        if self.keys.driving is None or not (self.drawn or self.counted):
            return []
        owner = [F.col(quote(c)) for c in self.family]
        rows = self.people.frame(self.ancestors.table).where(reduce(lambda a, b: a & b, [c.isNotNull() for c in owner]))
        searcher = self._searcher()
        lines = self._sampled(rows, owner).repartition(1).mapInArrow(searcher, "rule string").collect()
        found = [KINDS[(state := json.loads(line["rule"]))["kind"]].model_validate(state) for line in lines]
        kept = self._verified(found)
        log.debug("siblings_verified", table=self.ancestors.table, candidates=len(found), verified=len(kept))
        return kept

    def _searcher(self) -> SiblingSearcher:
        own = {f"v{i}": n for i, n in enumerate(self.types)}
        times = [n for n, t in self.types.items() if n in self.drawn and family_of(t) in TEMPORAL]
        return SiblingSearcher(
            types={**{i: self.types[n] for i, n in own.items()}, **{i: c.type for i, c in self.above.items()}},
            names={**own, **{i: c.name for i, c in self.above.items()}},
            family=self.family,
            orders=(*self.counted, *times[:TIMES]),
            counted=frozenset(self.counted),
            drawn=self.drawn,
            least=self.people.k,
        )

    def _sampled(self, rows: DataFrame, owner: Sequence[SparkColumn]) -> DataFrame:
        """Families of some parents, columns named by id."""
        place = F.xxhash64(F.lit("kin"), *owner)
        if self.rows > SAMPLE:
            rows = rows.where(F.pmod(place, F.lit(BUCKETS)) < F.lit(int(SAMPLE / self.rows * BUCKETS)))
            size = F.count(F.lit(1)).over(Window.partitionBy(*owner))
            rows = rows.withColumn(frames.hidden("size"), size).where(F.col(quote(frames.hidden("size"))) <= LONGEST)
        about = self.people.support(self.ancestors.table).columns
        own = [place.alias(OWNER), *about, *(F.col(quote(n)).alias(f"v{i}") for i, n in enumerate(self.types))]
        return self._beside(rows, own, self.above)

    def _beside(self, rows: DataFrame, own: list[SparkColumn], wanted: dict[str, ContextColumn]) -> DataFrame:
        """Rows with columns of their parent."""
        if not wanted:
            return rows.select(*own)
        joined = replace(self.ancestors, context=ContextPlan(each=tuple(wanted.values()))).beside(rows, own)
        return joined.withColumnsRenamed({frames.context(i): name for i, name in enumerate(wanted)})

    def _verified(self, rules: Sequence[Rule]) -> list[Rule]:
        """Those that hold on every row of the table, by one aggregation."""
        types = self.columns.types()
        checks = [(rule, sql) for rule in rules if (sql := rule.check(types)) is not None]
        if not checks:
            return []
        seen = {name for rule, _ in checks for name in rule.seen}
        wanted = {frames.hidden(c.name): c for c in self.above.values() if c.name in seen}
        rows = self._beside(self.frame, [F.col(quote(c)) for c in self.frame.columns], wanted)
        marked = rows.select(*(F.expr(sql).cast("boolean").alias(f"n{i}") for i, (_, sql) in enumerate(checks)))
        counts = [F.count_if(~F.coalesce(F.col(f"n{i}"), F.lit(True))).alias(f"n{i}") for i in range(len(checks))]
        row = marked.agg(*counts).first()
        return [rule for i, (rule, _) in enumerate(checks) if row is not None and row[f"n{i}"] == 0]
