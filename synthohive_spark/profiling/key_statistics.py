"""Statistics of keys, as Spark aggregates of the source: children per parent, null patterns, self-references."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from types import MappingProxyType

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from synthohive_spark.counts.distribution import LinkageModel, Method
from synthohive_spark.schema.keys import Beside, Hierarchy, NullPattern
from synthohive_spark.sql import quote
from synthohive_spark.tables import ForeignKey

LAW_STEPS = 2_000  # distinct counts of children that a law keeps
UNLIKE = 12.0  # rows with one parent behind two keys that chance would make; e**-12 that it makes none
LEVELS = 64  # depth of a self-reference that is kept; what lies deeper counts to the last level


def key_set(columns: tuple[str, ...]) -> Column:
    """Whether every column of a key is set."""
    return reduce(lambda a, b: a & b, [F.col(quote(c)).isNotNull() for c in columns])


def children_counts(frame: DataFrame, keys: Sequence[tuple[str, ...]]) -> list[dict[int, int]]:
    """How many parents have how many children, for each foreign key of a table: {children: parents}, one query for all.

    Parents without children are not among them.
    """
    if not keys:
        return []
    each = [
        frame.where(key_set(columns)).groupBy(*(F.col(quote(c)) for c in columns)).agg(F.count("*").alias("n"))
        for columns in keys
    ]
    families = reduce(DataFrame.unionAll, [f.select(F.lit(i).alias("key"), "n") for i, f in enumerate(each)])
    histogram = families.groupBy("key", "n").agg(F.count("*").alias("parents"))
    found: list[dict[int, int]] = [{} for _ in keys]
    for r in histogram.orderBy("key", "n").limit(LAW_STEPS * 50 * len(keys)).collect():
        found[r["key"]][int(r["n"])] = int(r["parents"])
    return found


def never_alike(frame: DataFrame, one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether no row has one parent behind two keys to a table, though by chance some would (e**-UNLIKE that none has).

    Args:
        frame: the rows.
        one: columns of a key.
        other: of the other, in the same order.
    """
    both = frame.where(key_set(one) & key_set(other))
    same = reduce(lambda a, b: a & b, [F.col(quote(a)) == F.col(quote(b)) for a, b in zip(one, other, strict=True)])
    row = both.agg(F.count("*").alias("rows"), F.count_if(same).alias("same")).first()
    if row is None or not row["rows"] or row["same"]:
        return False
    each = [
        both.groupBy(*(F.col(quote(c)).alias(f"k{i}") for i, c in enumerate(columns))).agg(F.count("*").alias(n))
        for columns, n in ((one, "mine"), (other, "theirs"))
    ]
    met = each[0].join(each[1], [f"k{i}" for i in range(len(one))], "inner")
    told = met.agg(F.sum(F.col("mine").cast("double") * F.col("theirs"))).first()
    return told is not None and (told[0] or 0.0) / row["rows"] >= UNLIKE


def children_law(counts: Mapping[int, int], parents: int, method: Method) -> tuple[LinkageModel, int]:
    """The law of children per parent, zero included, and the number of rows with a parent.

    A conditional law begins as the empirical one; what attributes say is learnt beside it.

    Args:
        counts: {children: parents}, of parents with children.
        parents: parents in all.
        method: of the law.
    """
    law = {**counts, 0: max(0, parents - sum(counts.values()))}
    fitted = LinkageModel("empirical" if method == "conditional" else method).fit(_thinned(law))
    return fitted, sum(v * n for v, n in counts.items())


def _thinned(law: dict[int, int]) -> dict[int, int]:
    """A law of at most LAW_STEPS distinct counts: neighbours beyond are merged at their mean."""
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


def null_patterns(
    frame: DataFrame,
    driving: tuple[str, ...],
    dealt: list[tuple[str, ...]],
    nullable: Collection[str],
    told: Mapping[tuple[str, ...], tuple[str, ...]] = MappingProxyType({}),
) -> tuple[tuple[NullPattern, ...], tuple[NullPattern, ...], tuple[str, ...]]:
    """Which dealt keys rows have together: on rows with a driving parent, and on rows without one.

    A key is there where it is set, or gives the row a column that no key before it gives: one that is null in part is
    there for its other columns (SQL checks no such key), and its null ones are named.

    Args:
        frame: the table.
        driving: columns of the driving key.
        dealt: columns of each dealt key, in the order in which they are dealt.
        nullable: columns of the table that may be null.
        told: {columns of a key: those of another one, on whose rows nobody is dealt for it}.

    Returns:
        Patterns with and without a driving parent, and the driving columns that some rows without one have set and no
        dealt key gives.
    """
    foreign = list(dict.fromkeys([*driving, *(c for columns in (*dealt, *told.values()) for c in columns)]))
    flagged = [c for c in foreign if c in nullable]
    if not flagged:
        every = tuple(columns not in told for columns in dealt)
        return ((NullPattern(set_keys=every, share=1.0),) if dealt else ()), (), ()
    names = [f"null{i}" for i in range(len(flagged))]
    flags = [F.col(quote(c)).isNull().alias(n) for c, n in zip(flagged, names, strict=True)]
    rows = frame.select(*flags).groupBy(*names).agg(F.count("*").alias("n")).collect()
    counts: dict[tuple[bool, tuple[bool, ...], tuple[str, ...]], int] = {}
    loose: set[str] = set()
    for row in rows:
        null = {c for c, n in zip(flagged, names, strict=True) if row[n]}
        owned = not null & set(driving)
        given, there = set(driving) if owned else set[str](), list[bool]()
        for columns in dealt:
            there.append(bool(set(columns) - null - given) or not null & set(columns))
            there[-1] &= columns not in told or bool(null & set(told[columns]))
            given |= set(columns) if there[-1] else set()
        loose |= set() if owned else set(driving) - null - given
        key = (owned, tuple(there), tuple(sorted(null & given)))
        counts[key] = counts.get(key, 0) + int(row["n"])

    def among(with_parent: bool) -> tuple[NullPattern, ...]:
        mine = sorted((there, nulls, n) for (owned, there, nulls), n in counts.items() if owned == with_parent)
        total = sum(n for _, _, n in mine)
        return tuple(NullPattern(set_keys=there, share=n / total, nulls=nulls) for there, nulls, n in mine)

    return (among(True), among(False), tuple(c for c in driving if c in loose)) if dealt else ((), (), tuple(loose))


def with_exceptions(
    patterns: Sequence[NullPattern], key: int, leading: int | None, share: float
) -> tuple[NullPattern, ...]:
    """Patterns of rows among which a share of those on which a key follows from another is dealt a parent all the same.

    Args:
        patterns: of rows with a driving parent, or without.
        key: the place of the key among the dealt ones.
        leading: that of the key that leads; None where all of these rows have it.
        share: of the exceptions.
    """
    found: list[NullPattern] = []
    for p in patterns:
        follows = not p.set_keys[key] and (leading is None or p.set_keys[leading])
        dealt = tuple(there or i == key for i, there in enumerate(p.set_keys))
        rest = p.model_copy(update={"share": p.share * (1 - share)})
        other = p.model_copy(update={"share": p.share * share, "set_keys": dealt})
        found += [rest, other] if follows and share else [p]
    return tuple(found)


def fan_out(
    children: DataFrame, key: tuple[str, ...], candidates: DataFrame, group: Column, referenced: tuple[str, ...]
) -> tuple[dict[float, int], float]:
    """Children of candidates in units of their group's mean, and how many a candidate has on average.

    Args:
        children: the table.
        key: its foreign key.
        candidates: the table that it refers to.
        group: what the candidates of a group share, as a column of theirs.
        referenced: the key's columns there.

    Returns:
        {relative number: candidates} over groups that have children, and children per candidate of these groups.
    """
    named = [F.col(quote(c)).alias(f"f{i}") for i, c in enumerate(key)]
    counts = children.where(key_set(key)).groupBy(*named).agg(F.count("*").alias("n"))
    shown = candidates.select(group.alias("g"), *(F.col(quote(c)).alias(f"k{i}") for i, c in enumerate(referenced)))
    same = [F.col(f"k{i}") == F.col(f"f{i}") for i in range(len(key))]
    known = shown.join(counts, same, "left").select("g", F.coalesce("n", F.lit(0)).alias("n"))
    groups = known.groupBy("g").agg(F.sum("n").alias("rows"), F.count("*").alias("held")).where("rows > 0")
    relative = (F.col("n") * F.col("held") / F.col("rows")).alias("r")
    coarse = known.join(groups, "g").select(relative).select(_coarse(F.col("r")).alias("r"))
    found = coarse.groupBy("r").agg(F.count("*").alias("n")).collect()
    sums = groups.agg(F.sum("rows").alias("rows"), F.sum("held").alias("held")).first()
    law = {float(r["r"]): int(r["n"]) for r in found}
    return law, (sums["rows"] / sums["held"] if sums is not None and sums["held"] else 0.0)


def bucket_sizes(children: DataFrame, bucket: tuple[str, ...], group: tuple[str, ...]) -> dict[float, int]:
    """Rows of buckets in units of their group's mean: {relative number: buckets}."""
    named = [F.col(quote(c)).alias(f"b{i}") for i, c in enumerate(bucket)]
    sizes = children.where(key_set(bucket)).groupBy(*named).agg(F.count("*").alias("n"))
    within = Window.partitionBy(*(f"b{bucket.index(c)}" for c in group)) if group else Window.partitionBy()
    mean = F.avg("n").over(within)
    coarse = sizes.select(_coarse(F.col("n") / mean).alias("r"))
    return {float(r["r"]): int(r["n"]) for r in coarse.groupBy("r").agg(F.count("*").alias("n")).collect()}


def _coarse(value: Column) -> Column:
    """A number to three significant digits, so that a law of any table has some thousand values at most."""
    digits = F.lit(2) - F.floor(F.log10(F.greatest(value, F.lit(1e-6))))
    scale = F.pow(F.lit(10.0), digits)
    return F.when(value <= 0, 0.0).otherwise(F.round(value * scale) / scale)


def hierarchy(frame: DataFrame, fk: ForeignKey, position: int) -> Hierarchy | None:
    """Levels of a self-reference, roots (null, or a row that refers to itself) first, and children per row of each.

    None where it is no forest: rows refer to each other in a ring.
    """
    pairs = frame.select(_one(fk.referenced_columns).alias("id"), _one(fk.columns).alias("up"))
    is_root = F.col("up").isNull() | (F.col("up") == F.col("id"))
    roots = pairs.agg(
        F.count("*").alias("rows"),
        F.sum(F.when(is_root, 1).otherwise(0)).alias("roots"),
        F.sum(F.when(F.col("up") == F.col("id"), 1).otherwise(0)).alias("loops"),
    ).first()
    if roots is None or not roots["roots"]:
        return None
    level, levels, laws = pairs.where(is_root).select("id"), [int(roots["roots"])], []
    below = pairs.where(~is_root)
    while sum(levels) < roots["rows"] and len(levels) < LEVELS:
        parents = level.select(F.col("id").alias("parent"))
        lower = below.join(parents, F.col("up") == F.col("parent"), "inner").select("id", "up")
        law, children = children_law(children_counts(lower, [("up",)])[0], levels[-1], "empirical")
        if not children:
            break
        laws.append(law.to_dict())
        levels.append(children)
        level = lower.select("id")
    left = roots["rows"] - sum(levels)
    if left and len(levels) < LEVELS:
        return None
    levels[-1] += left
    return Hierarchy(
        position=position,
        columns=fk.columns,
        referenced=fk.referenced_columns,
        levels=tuple(levels),
        laws=tuple(laws),
        loops=roots["loops"] / roots["roots"],
    )


def _one(columns: tuple[str, ...]) -> Column:
    """A key as one column: null where a part of it is."""
    if len(columns) == 1:
        return F.col(quote(columns[0]))
    whole = F.struct(*(F.col(quote(c)).alias(f"c{i}") for i, c in enumerate(columns)))
    return F.when(key_set(columns), whole)


def within_batch(frame: DataFrame, keys: Sequence[ForeignKey], position: int) -> Beside:
    """The shape of a key to an earlier row of the same generation batch.

    Args:
        frame: the rows of the source.
        keys: the table's foreign keys.
        position: which of them it is.
    """
    fk = keys[position]
    loop = reduce(
        lambda a, b: a & b,
        [F.col(quote(c)) == F.col(quote(r)) for c, r in zip(fk.columns, fk.referenced_columns, strict=True)],
    )
    counts = frame.agg(
        F.count("*").alias("rows"),
        F.sum(F.when(~key_set(fk.columns), 1).otherwise(0)).alias("nulls"),
        F.sum(F.when(loop, 1).otherwise(0)).alias("loops"),
    ).first()
    rows, nulls, loops = (counts["rows"], counts["nulls"], counts["loops"]) if counts is not None else (1, 0, 0)
    others = {c for j, other in enumerate(keys) if j != position for c in other.columns}
    return Beside(
        columns=fk.columns,
        own=tuple(c for c in fk.columns if c not in others),
        referenced=fk.referenced_columns,
        roots=(nulls + loops) / max(1, rows),
        loops=loops > 0 and not nulls,
    )
