"""The relational sample: rows chosen by key hash along the driving parents, each with its ancestors' columns beside it.

The sample stays a Spark frame: it streams into the training task and never reaches the driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.profiling.key_statistics import key_set
from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import SEEN, Ancestors, Reader
from synthohive_spark.schema.context import ContextColumn
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.sql import quote

BUCKETS = 2**30  # of hashes: a share of rows is exact to one in a billion
FAMILY_SHARE = 0.05  # families are kept whole at the highest ancestor where none is larger than this share of a sample


def training_frame(
    table: str, plans: Mapping[str, TablePlan], source: Reader, sample_rows: int, seed: int
) -> DataFrame:
    """The rows that a table's model learns from: ``frames`` lists the columns of a frame of training."""
    plan = plans[table]

    def read(name: str) -> DataFrame:
        return _blurred(source(name), plans[name].columns.blurred, seed)

    frame = _sampled(table, plans, read, sample_rows, seed)
    ruled = list(plan.rules.drawn.values())
    row_key = plan.keys.primary_key or tuple(frame.columns)
    columns = [F.xxhash64(F.lit(seed), *(F.col(quote(c)) for c in row_key)).alias(frames.ORDER)]
    columns += [F.col(quote(c)).alias(frames.model(i)) for i, c in enumerate(plan.columns.named("model"))]
    columns += [F.col(quote(c)).alias(frames.own(i)) for i, c in enumerate(plan.columns.shown)]
    columns += [F.col(quote(rule.column)).alias(frames.rule(i)) for i, rule in enumerate(ruled)]
    for fk in (k for k in plan.keys.foreign if k in plan.keys.dealt or k.role == "driving"):
        known, leading = key_set(fk.columns), plan.keys.leading(fk)
        known = known if leading is None else known & ~key_set(leading.columns)
        who = F.when(known, F.xxhash64(*(F.col(quote(c)) for c in fk.columns)))
        columns.append(who.alias(frames.parent(fk.position)))
    columns += [_known(plan.keys.at(way[0]).columns).alias(frames.person(i)) for i, way in enumerate(plan.people)]
    higher = _higher(plan, plans)
    context = plan.context.model_copy(update={"each": (*plan.context.each, *higher.values())})
    joined = Ancestors(table, context, {t: p.keys for t, p in plans.items()}, read).beside(frame, columns)
    places = {at: frames.context(len(plan.context.each) + n) for n, at in enumerate(higher)}
    people = {frames.person(i): _person(i, way, places) for i, way in enumerate(plan.people)}
    joined = joined.withColumns(people) if people else joined  # Spark Connect takes no empty set
    joined = joined.drop(*places.values())
    seen = {c.name: F.col(frames.context(i)) for i, c in enumerate(plan.context.each)}
    observed = {frames.rule(i): rule.observed(F.col(frames.rule(i)), seen) for i, rule in enumerate(ruled)}
    behind = plan.rules.behind(plan.context)
    hidden = [frames.context(i) for i, c in enumerate(plan.context.each) if c.hidden and c.name not in behind]
    return (joined.withColumns(observed) if observed else joined).drop(*hidden)


def _blurred(frame: DataFrame, dates: Sequence[str], seed: int) -> DataFrame:
    """The rows with another day of the month in personal dates, the same one wherever a date stands twice."""
    types = {f.name: f.dataType.simpleString() for f in frame.schema.fields}
    made = {}
    for name in dates:
        day = F.col(quote(name)).cast("date")
        other = F.pmod(F.xxhash64(F.lit(seed), day), F.dayofmonth(F.last_day(day))).cast("int")
        shift = other + 1 - F.dayofmonth(day)
        moved = F.date_add(day, shift) if types[name] == "date" else F.col(quote(name)) + F.make_dt_interval(shift)
        made[name] = moved
    return frame.withColumns(made) if made else frame


def _higher(plan: TablePlan, plans: Mapping[str, TablePlan]) -> dict[tuple[tuple[int, ...], str], ContextColumn]:
    """{(way to an ancestor, column): its key to whom it is about}, as columns of the context that no model sees."""
    found: dict[tuple[tuple[int, ...], str], ContextColumn] = {}
    for way in (w for w in plan.people if plan.keys.at(w[0]).role in SEEN):
        here = plan
        for n, position in enumerate(way):
            fk = here.keys.at(position)
            for c in fk.columns if n else ():
                found[way[: n + 1], c] = ContextColumn(name=c, path=way[:n], column=c, type="", hidden=True)
            here = plans[fk.references]
    return found


def _person(i: int, way: tuple[int, ...], places: Mapping[tuple[tuple[int, ...], str], str]) -> Column:
    """Whom a row is about: the person at the end of the way, else the nearest row on it, else the row itself."""
    levels = [[place for (to, _), place in places.items() if to == way[:n]] for n in range(len(way), 1, -1)]
    return F.coalesce(*(_hash(level) for level in levels if level), frames.person(i), frames.ORDER)


def _known(columns: tuple[str, ...]) -> Column:
    return F.when(key_set(columns), F.xxhash64(*(F.col(quote(c)) for c in columns)))


def _sampled(table: str, plans: Mapping[str, TablePlan], read: Reader, sample_rows: int, seed: int) -> DataFrame:
    plan, frame = plans[table], read(table)
    share = sample_rows / max(plan.rows, 1)
    if share >= 1:
        return frame
    chained, levels = _chain(frame, plan, plans, read)
    own = F.xxhash64(F.lit(seed), *(F.col(quote(c)) for c in (plan.keys.primary_key or frame.columns)))
    anchor = own
    for level in reversed(levels):  # from the root down: the highest ancestor with no family too large
        largest = chained.groupBy(level).agg(F.count(F.lit(1)).alias("n")).agg(F.max("n").alias("n")).first()
        if largest is not None and largest["n"] <= FAMILY_SHARE * sample_rows:
            key = F.xxhash64(F.lit(seed), F.col(level))
            anchor = F.when(F.col(level).isNull(), own).otherwise(key)
            break
    kept = chained.where(F.pmod(anchor, F.lit(BUCKETS)) < F.lit(int(share * BUCKETS)))
    return kept.select(*(F.col(quote(c)) for c in frame.columns))


def _chain(
    frame: DataFrame, plan: TablePlan, plans: Mapping[str, TablePlan], read: Reader
) -> tuple[DataFrame, list[str]]:
    """The frame with a hash of each driving ancestor's key: ``__a1`` the parent, ``__a2`` the grandparent, ..."""
    levels: list[str] = []
    own, step = frame.columns, plan.keys.driving
    carried = [quote(c) for c in step.columns] if step else []
    while step is not None:
        level = f"__a{len(levels) + 1}"
        frame = frame.withColumn(level, _hash(carried))
        levels.append(level)
        parent = plans[step.references]
        upper = parent.keys.driving
        if upper is None:
            break
        names = [f"__u{len(levels)}_{i}" for i in range(len(upper.columns))]
        keys = read(step.references).select(
            *(F.col(quote(c)).alias(f"__p{i}") for i, c in enumerate(step.referenced_columns)),
            *(F.col(quote(c)).alias(n) for c, n in zip(upper.columns, names, strict=True)),
        )
        frame = frame.join(keys, [F.col(c) == F.col(f"__p{i}") for i, c in enumerate(carried)], "left")
        frame = frame.drop(*(f"__p{i}" for i in range(len(carried))))
        carried, step = names, upper
    return frame.select(*(F.col(quote(c)) for c in own), *levels), levels


def _hash(columns: list[str]) -> Column:
    null = reduce(lambda a, b: a | b, [F.col(c).isNull() for c in columns])
    return F.when(null, F.lit(None)).otherwise(F.xxhash64(*(F.col(c) for c in columns)))
