"""Primary keys proposed: unique and non-null in the data, chosen by name, place and type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from synthohive_spark.draft import counts, names
from synthohive_spark.draft.counts import NEARLY, ColumnProfile, TableProfile
from synthohive_spark.draft.file import rows
from synthohive_spark.draft.foreign_keys import KeyCandidate, best

STRONG = 0.5
"""Score from which a single column is the primary key whatever else would do."""
CHECKED = 6
"""Candidates whose uniqueness is counted exactly in one aggregation; Spark multiplies the rows by it."""
ROUNDS = 3  # aggregations at most in search of one: 18 candidates, sorted by their looks
COMPOSED = 8
"""Columns that composite primary keys are made of: at most 84 pairs and triples."""


@dataclass(frozen=True)
class Primary:
    """A primary key that is proposed; ``score`` says how much a single column looks like one."""

    columns: tuple[str, ...]
    evidence: str
    score: float = 1.0


def unique_columns(table: TableProfile) -> list[str]:
    """Columns that are unique and non-null, exactly."""
    if table.rows < 2:  # uniqueness says nothing
        return []
    likely = [c for c, p in table.columns.items() if p.family and not p.nulls and p.distinct >= table.nearly_all]
    likely = sorted(likely, key=lambda c: -_appeal(table, c, ()))[:CHECKED]
    sure = counts.unique(table, [(c,) for c in likely])
    return [c for c in likely if (c,) in sure]


def single(profiles: Mapping[str, TableProfile], name: str, singles: Sequence[str]) -> Primary | None:
    """The best single column, however weak; declared keys come first."""
    table, tables = profiles[name], list(profiles)
    if table.declared.primary_key:
        columns = table.declared.primary_key
        nulls = any(table.columns[c].nulls for c in columns)
        sound = not nulls and (table.rows < 2 or columns in counts.unique(table, [columns]))
        state = (
            f"unique in {rows(table.rows)}" if sound else "but NOT unique or with nulls in the data: mend the source"
        )
        return Primary(columns, f"declared on the table; {state}")
    if table.rows < 2:
        named = [c for c in table.columns if names.primary(name, c, tables).score >= 0.95]
        return Primary((named[0],), f"by its name alone: {rows(table.rows)}") if named else None
    if not singles:
        return None
    column = max(singles, key=lambda c: (_appeal(table, c, tables), -table.position(c)))
    null = "declared NOT NULL" if table.columns[column].required else "no null"
    reason = names.primary(name, column, tables).reason
    return Primary((column,), f"unique in {rows(table.rows)}; {null}; {reason}", _appeal(table, column, tables))


def settle(
    table: TableProfile, single: Primary | None, singles: Sequence[str], candidates: Sequence[KeyCandidate]
) -> tuple[Primary | None, list[tuple[str, ...]]]:
    """The primary key once foreign keys are in sight, and composite ones that would do as well."""
    if table.declared.primary_key or table.rows < 2:
        return single, []
    refer = best(c for c in candidates if c.accepted)
    outside = {c: x for c, x in refer.items() if x.parent != table.name and not table.columns[c].nulls}
    named = [c for c, x in outside.items() if x.hint.score >= names.STRONG]
    own = single.columns[0] if single is not None else None
    strong = single is not None and single.score >= STRONG
    link = len(named) > 1 and (
        len(named) == len(table.columns) or names.names_both(table.name, [outside[c].parent for c in named])
    )
    if link and len(named) <= 3 and not (strong and own not in named):
        columns = tuple(sorted(named, key=table.position))
        if set(columns) & set(singles) or columns in counts.unique(table, [columns]):
            return Primary(columns, f"unique in {rows(table.rows)}; no null; the table links its parents"), []
    if single is not None and (strong or own in named):
        return single, []
    keylike = {c for c in table.columns if c in outside or names.is_keylike(table.name, c)}
    dated = {c for c, p in table.columns.items() if p.family in ("date", "timestamp", "timestamp_ntz")}
    counted = {c for c, p in table.columns.items() if _counts(p)}
    costs = {
        **dict.fromkeys(dated, 0.5),
        **dict.fromkeys(counted, 0.2),
        **dict.fromkeys(keylike, 0.0),
        **dict.fromkeys(outside, 0.1),
    }
    composed = _composed(table, costs, set(singles))
    if composed and (single is None or set(composed[0]) & keylike):
        evidence = f"unique in {rows(table.rows)}; no null; no single column is"
        if single is not None:
            evidence = f"unique in {rows(table.rows)}; no null; of columns that look like keys"
        return Primary(composed[0], evidence), composed
    return single, composed


def _counts(column: ColumnProfile) -> bool:
    """Whether a column may count the rows of each parent: whole numbers from 0 or 1 on, without gaps."""
    if column.family != "integer" or column.low not in (0, 1) or column.high is None:
        return False
    return 2 <= column.high - column.low + 1 <= column.distinct / NEARLY


def _composed(table: TableProfile, costs: Mapping[str, float], singles: set[str]) -> list[tuple[str, ...]]:
    """Unique pairs, else triples, of a few columns without nulls; the cheapest first, at least one with a cost."""

    def cost(column: str) -> float:
        return costs.get(column, 1.5) + table.position(column) / 1000

    usable = [
        c
        for c, p in table.columns.items()
        if p.family and not p.nulls and p.distinct > 1 and p.length <= 40 and c not in singles
    ]
    usable = sorted(sorted(usable, key=cost)[:COMPOSED], key=table.position)
    for size in (2, 3):
        sets = [s for s in combinations(usable, size) if set(s) & set(costs) and _room(table, s)]
        likely = sorted(counts.nearly_unique(table, sets), key=lambda s: sum(map(cost, s)))
        for start in range(0, min(len(likely), ROUNDS * CHECKED), CHECKED):
            checked = likely[start : start + CHECKED]
            sure = counts.unique(table, checked)
            if sure:
                return [s for s in checked if s in sure]
    return []


def _room(table: TableProfile, columns: tuple[str, ...]) -> bool:
    product = 1
    for c in columns:
        product *= table.columns[c].distinct
    return product >= NEARLY * table.rows


def _appeal(table: TableProfile, column: str, tables: Sequence[str]) -> float:
    """How much a unique column looks like its table's primary key, by name, place and type."""
    seen = table.columns[column]
    malus = {"date": 0.2, "timestamp": 0.3, "timestamp_ntz": 0.3}.get(seen.family or "", 0.0)
    malus += 0.3 if seen.length > 40 else 0.0
    return names.primary(table.name, column, tables).score + 0.15 * (table.position(column) == 0) - malus
