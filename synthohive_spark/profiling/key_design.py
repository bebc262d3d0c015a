"""What the keys of a table ask for and how each demand is met: docs/keys.md, from metadata and row counts. No Spark.

Foreign keys are assigned one after the other. Each takes its parent among the candidates that agree with what was
assigned before (its *group*), under the number of children that the parent should have. A unique key is met where its
last part is assigned: rows that agree in the rest of it (its *bucket*) get different parents, or different values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from synthohive_spark import graph
from synthohive_spark.schema.keys import KeyRole
from synthohive_spark.tables import INTEGRAL, TEXT, ForeignKey, Table, decimal_form

Tie = tuple[tuple[str, str], ...]
"""Pairs (column of one parent, column of another) that agree."""
LONG_DIGITS = 18  # digits of a decimal that a long always holds
NARROW = {"boolean": 2, "tinyint": 256, "byte": 256}  # types that cannot number the rows of a table: their values


@dataclass
class KeyDesign:
    """How the keys of one table are made.

    Attributes:
        roles: of each foreign key, by position.
        turns: of each key that is assigned after the driving one, when; keys of one turn do not need each other.
        anchors: {key: the key whose parent it has to agree with}.
        ties: {key: what agrees, as (column of the anchor's parent, column of its own)}.
        buckets: {key: columns of the driving key}: rows that agree in them have different parents behind the key; ()
            for all rows of the table.
        within: {key: other keys}: the bucket is that of rows which have the same parents behind these, too.
        before: {key: the keys that are to tell the rows of its bucket apart after it}, so that it may repeat.
        numbered: columns that are unique by themselves, made from the row's position.
        grid: the columns of a natural key of which none is foreign.
        spread: {column: columns of the driving key within which it is counted, so that it does not repeat}.
        tiebreak: columns of which one is drawn again where the primary key would repeat.
        together: columns of the driving key: families that agree in them are made together, for the tiebreak's sake; ()
            where families are apart anyway.
        beside: keys to the table itself whose parents are chosen among the rows that are made beside them.
        part_of: {key: columns of its}: only one of the parents that agree in them has children, since a unique key
            holds these and not the others.
        problems: what cannot be made, each with its remedy.
    """

    roles: dict[int, KeyRole] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)
    anchors: dict[int, int] = field(default_factory=dict)
    ties: dict[int, Tie] = field(default_factory=dict)
    buckets: dict[int, tuple[str, ...]] = field(default_factory=dict)
    within: dict[int, tuple[int, ...]] = field(default_factory=dict)
    before: dict[int, tuple[int, ...]] = field(default_factory=dict)
    numbered: list[str] = field(default_factory=list)
    grid: tuple[str, ...] = ()
    spread: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tiebreak: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    beside: list[int] = field(default_factory=list)
    part_of: dict[int, tuple[str, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def driving(self) -> int | None:
        """The position of the driving key; None for a root."""
        return next((i for i, r in self.roles.items() if r == "driving"), None)


def unsupported(name: str, tables: Mapping[str, Table], rows: Mapping[str, int]) -> list[str]:
    """What of a table's keys cannot be generated, one line each with its remedy."""
    return design(name, tables, rows).problems


def design(
    name: str,
    tables: Mapping[str, Table],
    rows: Mapping[str, int],
    types: Mapping[str, str] | None = None,
    implied: Collection[int] = (),
) -> KeyDesign:
    """How the keys of a table are made, or why they cannot be.

    Args:
        name: the table.
        tables: all tables.
        rows: rows of each table in the source.
        types: Spark types of the table's columns; those of the metadata if not given.
        implied: positions of keys that follow from ancestors behind other keys. A unique key that holds one holds the
            key that it follows from, so that it tells no rows apart.
    """
    spec, found = tables[name], KeyDesign()
    gone = given_by(implied, name, tables)
    spec = spec.model_copy(update={"primary_key": tuple(c for c in spec.primary_key if c not in gone)})
    known = {**spec.columns, **(types or {})}
    _assign(found, name, tables, rows, implied)
    for key in unique_keys(name, {**tables, name: spec}, gone):
        if any(c in found.numbered for c in key):
            continue
        foreign = {c for fk in spec.foreign_keys for c in fk.columns}
        free = [c for c in key if c not in foreign]
        if free:
            _tell_apart_by_values(found, key, free, spec, known)
            if found.tiebreak and all(known.get(c) == "boolean" for c in found.tiebreak):
                found.problems.append(
                    f"{name}.primary_key({', '.join(key)}): {', '.join(free)} tells two rows apart at most, and in the "
                    "copy more may agree in the rest; declare a wider primary key, or none"
                )
        else:
            _tell_apart_by_parents(found, key, name, spec)
    found.problems += [
        f"{name}.{c}: {NARROW[known[c]]} values of type {known[c]} are to tell rows apart where the foreign keys of a "
        "unique key agree, and none of these holds the driving key; leave the unique key out, or widen the column"
        for c in found.numbered
        if rows[name] > NARROW.get(known.get(c, ""), rows[name])
    ]
    _order(found)
    _place_selves(found, name, tables)
    _check_foreseen(found, name, tables, rows)
    return found


def given_by(implied: Collection[int], name: str, tables: Mapping[str, Table]) -> set[str]:
    """Columns of a table that no keys hold but those that follow from ancestors, and narrower ones within these."""
    keys = tables[name].foreign_keys
    wider = [keys[i] for i in implied]
    inside = {i for i, fk in enumerate(keys) if any(implies(w, fk, tables[w.references]) for w in wider)}
    others = {c for i, fk in enumerate(keys) if i not in inside and i not in implied for c in fk.columns}
    return {c for fk in wider for c in fk.columns} - others


def unique_keys(name: str, tables: Mapping[str, Table], gone: Collection[str] = ()) -> list[tuple[str, ...]]:
    """Column lists that no two rows of a table share: primary key, declared unique keys, and what others refer to.

    Those that follow from a shorter one are left out. The primary key comes first, then shorter ones.

    Args:
        name: the table.
        tables: all tables.
        gone: columns that follow from others of every key that holds them.
    """
    spec = tables[name]
    asked = [spec.primary_key, *spec.unique]
    asked += [fk.referenced_columns for t in tables.values() for fk in t.foreign_keys if fk.references == name]
    asked = [tuple(c for c in key if c not in gone) for key in asked]
    whole = [key for key in dict.fromkeys(asked) if key]
    least = [key for key in whole if not any(set(other) < set(key) for other in whole)]
    once = [key for i, key in enumerate(least) if set(key) not in [set(k) for k in least[:i]]]
    return sorted(once, key=lambda key: (key != spec.primary_key, len(key)))


def _assign(
    found: KeyDesign, name: str, tables: Mapping[str, Table], rows: Mapping[str, int], implied: Collection[int]
) -> None:
    """Roles, anchors and ties of the foreign keys."""
    spec, late = tables[name], graph.late_keys(tables)
    keys = dict(enumerate(spec.foreign_keys))
    driving = graph.driving_key(name, tables, rows, late)
    placed: list[int] = [i for i, fk in keys.items() if fk is driving]
    found.roles.update({**dict.fromkeys(placed, "driving"), **dict.fromkeys(implied, "implied")})
    left = [i for i, fk in keys.items() if i not in found.roles and fk.references != name and (name, i) not in late]
    while left:
        i = _next(left, placed, keys)
        if i is None:
            found.problems += [
                f"{_place(name, keys[j])}: shares columns with several other keys of which none holds them all; "
                "leave one of these keys out"
                for j in left
            ]
            found.roles.update(dict.fromkeys(left, "implied"))
            break
        left.remove(i)
        fk, anchor = keys[i], _anchor(keys[i], placed, keys)
        if any(implies(keys[j], fk, tables[keys[j].references]) for j in (*placed, *implied)):
            found.roles[i] = "implied"
            continue
        found.roles[i] = "drawn" if anchor is None else "bound"
        if anchor is not None:
            found.anchors[i], found.ties[i] = anchor, tie(keys[anchor], fk)
        placed.append(i)
    for i, fk in keys.items():
        if fk.references == name:
            found.roles[i] = "self"
        elif (name, i) in late:
            found.roles[i] = "late"
            found.problems += _late_problems(name, fk, {c for j in placed for c in keys[j].columns}, tables)
    found.roles = dict(sorted(found.roles.items()))


def _late_problems(name: str, fk: ForeignKey, taken: set[str], tables: Mapping[str, Table]) -> list[str]:
    if set(fk.columns) & taken:
        return [f"{_place(name, fk)}: closes a cycle of tables and shares columns with another key; leave it out"]
    if not graph.made_from_position(fk.referenced_columns, tables[fk.references]):
        return [
            f"{_place(name, fk)}: closes a cycle of tables, so what it refers to in {fk.references} must be its "
            "primary key, or one column, and no foreign key; leave the key out"
        ]
    return []


def _next(left: Sequence[int], placed: Sequence[int], keys: Mapping[int, ForeignKey]) -> int | None:
    """The key to assign next: one that agrees with a single other key if there is one, else a free one; wide first."""
    taken = {c for j in placed for c in keys[j].columns}
    free = [i for i in left if not taken & set(keys[i].columns)]
    tied = [i for i in left if i not in free and _anchor(keys[i], placed, keys) is not None]
    order = sorted(tied or free, key=lambda i: (-len(keys[i].columns), i))
    return order[0] if order else None


def _anchor(fk: ForeignKey, placed: Sequence[int], keys: Mapping[int, ForeignKey]) -> int | None:
    """The assigned key that holds every column of ``fk`` which is set by then; None if none does."""
    shared = set(fk.columns) & {c for j in placed for c in keys[j].columns}
    return next((j for j in placed if shared and shared <= set(keys[j].columns)), None)


def tie(anchor: ForeignKey, fk: ForeignKey) -> Tie:
    """What two overlapping keys share, by the names of their parents' columns."""
    up = dict(zip(anchor.columns, anchor.referenced_columns, strict=True))
    over = dict(zip(fk.columns, fk.referenced_columns, strict=True))
    return tuple((up[c], over[c]) for c in fk.columns if c in up)


def implies(wider: ForeignKey, fk: ForeignKey, parent: Table) -> bool:
    """Whether the parent behind ``wider`` has itself a key to the table of ``fk``, over the same columns."""
    if not set(fk.columns) <= set(wider.columns):
        return False
    up = dict(zip(wider.columns, wider.referenced_columns, strict=True))
    through = {up[c]: r for c, r in zip(fk.columns, fk.referenced_columns, strict=True)}
    return any(
        other.references == fk.references and dict(zip(other.columns, other.referenced_columns, strict=True)) == through
        for other in parent.foreign_keys
    )


def _tell_apart_by_values(
    found: KeyDesign, key: tuple[str, ...], free: list[str], spec: Table, types: Mapping[str, str]
) -> None:
    """A unique key with columns of its own: these do not repeat where its other columns agree."""
    driving = () if found.driving is None else spec.foreign_keys[found.driving].columns
    shared = tuple(c for c in driving if c in key)
    primary, alone = key == spec.primary_key, len(free) + len(shared) == len(key)
    countable = [c for c in free if _countable(types.get(c, "int"))]
    if len(key) == 1:
        found.numbered += free
    elif len(free) == len(key) and primary:
        found.grid = key
    elif len(free) == 1 and alone and countable and shared and not found.spread:
        found.spread[free[0]] = shared
    elif primary and shared:
        found.tiebreak = tuple(free)
        found.together = shared if set(shared) < set(driving) else ()
    elif alone and shared and countable and not found.spread:
        found.spread[countable[0]] = shared
    else:
        found.numbered.append(min(free, key=lambda c: _rank(types.get(c, "int"))))


def _countable(kind: str) -> bool:
    """Whether the values of a type can be counted within a family: whole numbers, dates and times."""
    if kind.startswith("decimal"):
        return decimal_form(kind)[0] <= LONG_DIGITS
    return not kind.startswith((*TEXT, "binary", "float", "double"))


def _rank(kind: str) -> tuple[bool, int]:
    """Types in which rows are numbered, the best first."""
    wide = [kind in ("bigint", "int", "integer", "long"), kind.startswith(("decimal", *TEXT, "timestamp"))]
    return kind in NARROW, wide.index(True) if any(wide) else (2 if kind in INTEGRAL or kind == "date" else 3)


def _tell_apart_by_parents(found: KeyDesign, key: tuple[str, ...], name: str, spec: Table) -> None:
    """A unique key of foreign keys alone: its last part gets different parents where the others agree."""
    keys, driving = spec.foreign_keys, found.driving
    first = [] if driving is None else [driving]
    turns = [*first, *(i for i, r in found.roles.items() if r in ("drawn", "bound", "late"))]
    turns.sort(key=lambda i: (i != driving, *_turn(found, i, keys)))
    provider: dict[str, int] = {}
    for i in turns:
        for c in keys[i].columns:
            provider.setdefault(c, i)
    where = f"{name}({', '.join(key)})"
    if any(c not in provider for c in key):
        found.problems.append(f"{where}: a unique key holds a key to its own table; leave the unique key out")
        return
    parts = [i for i in turns if i in {provider[c] for c in key}]
    base = tuple(c for c in key if provider[c] == driving)
    others = [i for i in parts if i != driving]
    if not others:
        found.buckets[parts[0]] = ()
        if set(key) < set(keys[parts[0]].columns):
            found.part_of[parts[0]] = key
        return
    if any(i in found.buckets and set(found.buckets[i]) <= set(base) and not found.within.get(i) for i in parts):
        return  # a part of it tells its rows apart already
    *earlier, last = others
    problem = _why_not(found, base, earlier, last, spec)
    if problem:
        found.problems.append(f"{where}: {problem}; {_REMEDY}")
        return
    given = {i: {c for c, p in provider.items() if p == i} for i in others}
    found.part_of.update({i: tuple(c for c in key if c in given[i]) for i in others if not given[i] <= set(key)})
    for n, i in enumerate(others):
        found.buckets[i], found.within[i], found.before[i] = base, tuple(others[:n]), tuple(others[n + 1 :])


_REMEDY = "declare another of its keys 'driving', or leave one of them out"


def _why_not(found: KeyDesign, base: tuple[str, ...], earlier: list[int], last: int, spec: Table) -> str:
    """Why a unique key of foreign keys cannot be met; '' if it can."""
    keys = spec.foreign_keys
    if any(i in found.buckets for i in (*earlier, last)):
        return "shares a foreign key with another unique key that is met differently"
    if found.roles[last] == "late" or any(found.roles[i] == "late" for i in earlier):
        return "" if not earlier and not base else "holds a key that closes a cycle of tables"
    if not base and (earlier or found.anchors.get(last) is not None):
        return "holds no column of the driving key"
    for i in (*earlier, last):
        anchor = found.anchors.get(i)
        fixed = anchor is None or anchor in earlier
        shared = set(keys[i].columns) & set(keys[anchor].columns) if anchor is not None else set[str]()
        if not fixed and not (anchor == found.driving and shared <= set(base)):
            return "holds a key that has to agree with another one outside of it"
    return ""


def _turn(found: KeyDesign, i: int, keys: Sequence[ForeignKey]) -> tuple[int, int, int]:
    depth, anchor = 0, found.anchors.get(i)
    while anchor is not None and anchor != found.driving:
        depth, anchor = depth + 1, found.anchors.get(anchor)
    return depth, -len(keys[i].columns), i


def _order(found: KeyDesign) -> None:
    """When each key is assigned: after those that it has to agree with and those that share its bucket."""
    dealt = [i for i, r in found.roles.items() if r in ("drawn", "bound", "late")]
    found.turns = dict.fromkeys(dealt, 0)
    for _ in dealt:
        for i in dealt:
            needs = [*found.within.get(i, ()), *([found.anchors[i]] if i in found.anchors else [])]
            found.turns[i] = max([found.turns[i], *(found.turns[j] + 1 for j in needs if j in found.turns)])


def _place_selves(found: KeyDesign, name: str, tables: Mapping[str, Table]) -> None:
    """Keys of the table to itself: their parents are known by position in the table, or are rows made beside them."""
    spec = tables[name]
    for i in (i for i, r in found.roles.items() if r == "self"):
        fk = spec.foreign_keys[i]
        others = {c for j, other in enumerate(spec.foreign_keys) if j != i for c in other.columns}
        if graph.made_from_position(fk.referenced_columns, spec) and not set(fk.columns) & {*others, *spec.primary_key}:
            continue
        own = set(fk.columns) - others
        if own and not own & set(spec.primary_key):
            found.beside.append(i)
        else:
            found.problems.append(
                f"{_place(name, fk)}: a key of a table to itself needs a column that neither the primary key nor "
                "another key holds; leave the key out"
            )


def foreseen(tables: Mapping[str, Table], rows: Mapping[str, int]) -> set[str]:
    """Tables whose rows must be known before any is made: those that late keys refer to, and those that drive them."""
    found, late = set[str](), graph.late_keys(tables)
    for child, i in late:
        table = tables[child].foreign_keys[i].references
        while table not in found:
            found.add(table)
            driving = graph.driving_key(table, tables, rows, late)
            table = driving.references if driving is not None else table
    return found


def _check_foreseen(found: KeyDesign, name: str, tables: Mapping[str, Table], rows: Mapping[str, int]) -> None:
    """A table whose rows must be known before it is made cannot lose some to parents that run out."""
    if name not in foreseen(tables, rows):
        return
    for i in {*found.anchors, *found.buckets, *found.part_of} - {found.driving if not found.part_of else None}:
        grouped = [j for j in (i, *found.before.get(i, ())) if j in found.anchors or j in found.part_of]
        if grouped and (found.anchors.get(i) == found.driving or i in found.buckets or i in found.part_of):
            what = "shares columns with the driving key" if i in found.anchors else "may not repeat a parent"
            found.problems.append(
                f"{_place(name, tables[name].foreign_keys[i])}: {what}, so rows may be left out where parents run out, "
                f"but a cycle of tables needs the rows of {name} before its parents are made; leave the key out"
            )


def _place(name: str, fk: ForeignKey) -> str:
    return f"{name}.foreign_keys({', '.join(fk.columns)})"
