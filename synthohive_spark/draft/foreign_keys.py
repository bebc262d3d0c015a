"""Foreign keys proposed: values that lie in a parent's primary key, chosen by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from synthohive_spark.draft import counts, names
from synthohive_spark.draft.counts import Found, TableProfile
from synthohive_spark.draft.file import DraftedKey, listed
from synthohive_spark.draft.names import Hint

ORPHANS = {names.STRONG: 0.2, names.LIKELY: 0.01, 0.0: 0.0}
"""Share of rows without a parent that a foreign key may have, by the strength of its name."""
DOUBT = 0.8  # score of a name below which the draft shows what else the data allows
"""Score of a name below which other parents with all the values are shown too."""


@dataclass(frozen=True)
class KeyCandidate:
    """A column that may refer to a parent."""

    column: str
    parent: str
    referenced: str
    hint: Hint
    found: Found
    accepted: bool

    @property
    def rank(self) -> tuple[float, float, str]:
        """Best first: by name, then by the values that the parent has."""
        return -self.hint.score, -self.found.found_values, self.parent


def key_candidates(
    table: TableProfile, profiles: Mapping[str, TableProfile], parents: Mapping[str, str], singles: Sequence[str]
) -> list[KeyCandidate]:
    """Every column with every parent that its values lie in, for the most part."""
    found: list[KeyCandidate] = []
    for family in sorted({p.family for p in table.columns.values() if p.family}):
        fitting = {n: c for n, c in parents.items() if profiles[n].columns[c].family == family}
        hints = {
            (column, parent): _hint(table, column, parent, key)
            for column, seen in table.columns.items()
            for parent, key in fitting.items()
            if seen.family == family and seen.distinct and (table.name, column) != (parent, key)
            if _worth(table, column, profiles[parent], key, family)
        }
        columns = sorted({c for c, _ in hints}, key=table.position)
        tested = [(profiles[n], fitting[n]) for n in sorted({n for _, n in hints})]
        own = parents.get(table.name)
        for (column, parent), seen in counts.inclusions(table, columns, tested).items():
            hint = hints.get((column, parent))
            if hint is None or not seen.found_values:
                continue
            if column == own and names.primary(table.name, column, list(profiles)).score >= 0.8:
                continue  # the table's own thing
            free = parent != table.name and column not in singles
            if not hint.score and free and _by_chance_never(seen, table, column, profiles[parent], fitting[parent]):
                hint = Hint(0.5, "no name matches, the values do")
            found.append(KeyCandidate(column, parent, fitting[parent], hint, seen, _accepted(hint, seen)))
    return _without_mirrors(table, profiles, parents, found)


def best(candidates: Iterable[KeyCandidate]) -> dict[str, KeyCandidate]:
    """The best candidate of each column."""
    found: dict[str, KeyCandidate] = {}
    for c in sorted(candidates, key=lambda c: c.rank):
        found.setdefault(c.column, c)
    return found


def chosen(table: TableProfile, candidates: Sequence[KeyCandidate]) -> list[DraftedKey]:
    """One foreign key per column, with what else the data allows."""
    picked = best(c for c in candidates if c.accepted)
    made = []
    for column in sorted(picked, key=table.position):
        top = picked[column]
        doubtful = top.hint.score < DOUBT
        rest = [
            c
            for c in candidates
            if c.column == column and c is not top and not c.found.orphans and (doubtful or c.hint.score)
        ]
        made.append(
            DraftedKey(
                columns=(column,),
                references=top.parent,
                referenced_columns=(top.referenced,),
                evidence=f"{_seen(top.found, f'{top.parent}.{top.referenced}')}; {top.hint.reason}",
                nulls=table.columns[column].nulls,
                orphans=top.found.orphans,
                alternatives=tuple(
                    f"{_seen(c.found, f'{c.parent}.{c.referenced}')}; {c.hint.reason}"
                    for c in sorted(rest, key=lambda c: c.rank)[:2]
                ),
            )
        )
    return made


def composites(
    table: TableProfile, profiles: Mapping[str, TableProfile], keys: Mapping[str, tuple[str, ...]]
) -> Iterator[DraftedKey]:
    """Foreign keys of several columns: those of a parent's composite primary key by their names."""
    for name, key in keys.items():
        if len(key) < 2 or name == table.name:
            continue
        parent = profiles[name]
        told = next((c for c, p, r in table.declared.foreign_keys if p == name and r == key), None)
        pairs = [next((c for c in table.columns if names.same_name(c, r)), None) for r in key]
        columns = told or tuple(c for c in pairs if c is not None)
        if len(columns) < len(key) or any(
            table.columns[c].family != parent.columns[r].family for c, r in zip(columns, key, strict=True)
        ):
            continue
        if not told and set(keys[table.name]) == set(columns) and (-parent.rows, name) > (-table.rows, table.name):
            continue  # two tables with one key: the larger one is the parent
        found, nulls = counts.inclusion(table, columns, parent, key)
        if not _accepted(Hint(names.EXACT, ""), found):
            continue
        evidence = f"{_seen(found, f'{name}{listed(key)}')}; {'declared on the table' if told else 'names match'}"
        yield DraftedKey(columns, name, key, evidence, nulls, found.orphans)


def _worth(table: TableProfile, column: str, parent: TableProfile, key: str, family: str) -> bool:
    """Whether an inclusion is worth counting, by what the profiles say."""
    child, target = table.columns[column], parent.columns[key]
    score = _hint(table, column, parent.name, key).score
    if family in ("date", "timestamp", "timestamp_ntz"):  # any day lies in a calendar
        return score == names.EXACT
    if score >= names.LIKELY:
        return child.distinct <= 2 * target.distinct + 20
    if child.distinct > 1.15 * target.distinct + 3 or child.length > 40:
        return False
    if child.low is not None and target.low is not None:
        return child.low >= target.low and (child.high or 0) <= (target.high or 0)
    return True


def _hint(table: TableProfile, column: str, parent: str, key: str) -> Hint:
    """What the table declares of a column as a foreign key, else what its name says."""
    if ((column,), parent, (key,)) in table.declared.foreign_keys:
        return Hint(names.EXACT, "declared on the table")
    if table.columns[column].family != "string" and column.casefold() == f"{parent}s".casefold():
        return Hint(0.0, "a number of many is how many there are")
    return names.foreign(table.name, column, parent, key)


def _accepted(hint: Hint, seen: Found) -> bool:
    if not seen.rows or not hint.score:
        return False
    limit = next(share for score, share in ORPHANS.items() if hint.score >= score)
    return seen.orphans <= limit * seen.rows


def _by_chance_never(seen: Found, table: TableProfile, column: str, parent: TableProfile, key: str) -> bool:
    """Whether values without a telling name can hardly lie in the parent by chance.

    Texts do not: three of them are enough. Integers (and texts of digits) do, unless the parent's are sparse, or the
    child has nearly all of many of them; or it is called like a reference, and the parent's begin at a number that only
    keys begin at (1001 for the first of 300).
    """
    if seen.orphans:
        return False
    child, target = table.columns[column], parent.columns[key]
    if child.family == "string" and not child.digits:
        return seen.values >= 3 and child.length >= 2
    if target.low is None or target.high is None:
        return False
    density = parent.rows / max(target.high - target.low + 1, parent.rows)
    sparse = seen.values >= 10 and density**seen.values < 1e-6
    begun = names.is_reference(column) and seen.values >= 3 and target.low > parent.rows > 1
    return sparse or begun or (seen.values >= 20 and seen.values >= 0.95 * parent.rows)


def _without_mirrors(
    table: TableProfile, profiles: Mapping[str, TableProfile], parents: Mapping[str, str], found: list[KeyCandidate]
) -> list[KeyCandidate]:
    """Of two tables with the same key, one may refer to the other, not both: the larger one is the parent."""
    own = parents.get(table.name)

    def mirrored(c: KeyCandidate) -> bool:
        if c.column != own or not c.accepted:
            return False
        back = names.foreign(c.parent, c.referenced, table.name, c.column)
        if names.primary(c.parent, c.referenced, list(profiles)).score >= 0.8:
            return False  # the parent's own thing
        return back.score >= names.STRONG and (-profiles[c.parent].rows, c.parent) > (-table.rows, table.name)

    return [c for c in found if not mirrored(c)]


def _seen(found: Found, place: str) -> str:
    return f"{found.found_values:,} of {found.values:,} values found in {place}"
