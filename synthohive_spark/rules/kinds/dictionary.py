"""A column is a function of one or two others, whatever the function: a code has one description, a city a country."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from synthohive_spark.rules.coded import Coded, determinants, parts, surprise
from synthohive_spark.rules.evidence import EVIDENCE, Sample
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.value_kind import Candidate, ValueKind
from synthohive_spark.schema import frames
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.rule import Ancestor, Rule
from synthohive_spark.sql import quote, text_literal

PAIRED = 16  # columns of which every pair is tried: 120 pairs
NULL, KNOWN, OTHER = "~", "=", "*"  # how a text of the dictionary begins
THIS = "`#synthohive:this`"  # what a lambda sees; no column has this name
PER_BUCKET = 8  # entries that a row is compared with: Spark looks through a map one by one


class Dictionary(ValueKind):
    """Functions that no formula says. Spark verifies them group by group, and writes the dictionary down."""

    name = "dictionary"
    order = 90
    tabled = True
    views: ClassVar[Mapping[str, str]] = {
        "letters": "regexp_extract({0}, '^[A-Za-z]+', 0)",
        "first part": "regexp_extract({0}, '^[^ ._/-]+', 0)",
    }

    def candidates(self, sample: Sample) -> tuple[Candidate, ...]:
        """None: what they are made from does not say which values they have."""
        return ()

    def search(self, sample: Sample) -> list[Law]:
        """Single columns first; parts of columns, then pairs, for targets of which no single one decides."""
        targets = [Coded.of(c) for c in sample.targets if c.family not in ("time", "plain time")]
        targets = [t for t in targets if t.size > 1]
        singles = determinants(sample)
        dates = [d for d in singles if d.columns[0].family == "date"]
        found = [law for d in singles if d not in dates for t in targets if (law := _law(d, t, ())) is not None]
        for part in (*parts(sample, self.views), *dates):
            decided = {law.target for law in found}
            found += [w for t in targets if t.ids[0] not in decided and (w := _law(part, t, ())) is not None]
        decided = {law.target for law in found}
        least = sorted(singles, key=lambda d: d.size)[:PAIRED]
        few = [d for d in singles if d in least]
        open_ones = [t for t in targets if t.ids[0] not in decided]
        return found + list(_of_pairs(few, open_ones))

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """What it follows from; the SQL is that of the rule, which holds the dictionary."""
        return f"dictionary({', '.join(names[i] for i in law.inputs)})"

    def settled(self, laws: Sequence[Law]) -> list[Law]:
        """One law per column: of what decides it, the coarsest, so that a region stands between city and country."""
        decides: dict[tuple[str, ...], set[str]] = {}
        for law in laws:
            decides.setdefault(law.inputs, set()).add(law.target)
        finest = _leaders(decides, {law.inputs: law.step for law in laws})
        kept = list[Law]()
        for target in dict.fromkeys(law.target for law in laws):
            leader = finest.get((target,), (target,))
            mine = [law for law in laws if law.target == target]
            mine = [law for law in mine if finest.get(law.inputs, law.inputs) == law.inputs]
            if leader != (target,):  # one of several that decide each other follows from the first of them
                mine = [law for law in mine if law.inputs == leader]
            mine = [law for law in mine if law.reach == "whole"] or mine
            coarse = [w for w in mine if not any(_decides(decides, w.inputs, o.inputs) for o in mine)]
            if mine:
                kept.append(min(coarse or mine, key=lambda w: _use(w, decides)))
        return kept


def _leaders(
    decides: Mapping[tuple[str, ...], set[str]], numbers: Mapping[tuple[str, ...], int]
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Of columns that decide each other, the one that the others follow from: a text, and the one that decides most."""
    leaders = {}
    for inputs in decides:
        equal = [o for o in decides if _decides(decides, inputs, o) and _decides(decides, o, inputs)]
        leaders[inputs] = min([inputs, *equal], key=lambda i: (numbers[i], -len(decides[i]), i))
    return leaders


def _decides(decides: Mapping[tuple[str, ...], set[str]], one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether the first columns decide the second ones, which are others."""
    return one != other and decides[one].union(one).issuperset(other)


def _use(law: Law, decides: Mapping[tuple[str, ...], set[str]]) -> tuple[int, int, int, tuple[str, ...]]:
    return len(law.inputs), law.step, -len(decides[law.inputs]), law.inputs


def _law(determinant: Coded, target: Coded, beyond: Sequence[Coded]) -> Law | None:
    """The law that the target follows from the determinant; None where a row, or chance, refutes it.

    Args:
        determinant: one or two columns.
        target: another one.
        beyond: the single columns of two, each of which must not explain the target as well.
    """
    if target.ids[0] in determinant.ids:
        return None
    apart = target.codes != target.codes[determinant.first][determinant.codes]
    if (apart & determinant.known).any():
        return None
    explained = [surprise(determinant, target, given) for given in beyond or (None,)]
    if min(explained) < EVIDENCE:
        return None
    reach: Literal["whole", "fill"] = "fill" if apart.any() else "whole"
    numbers = sum(c.number for c in determinant.columns)
    return Law(Dictionary.name, target.ids[0], determinant.ids, determinant.sql, reach, "", target.size, numbers)


def _of_pairs(columns: Sequence[Coded], targets: Sequence[Coded]) -> Iterator[Law]:
    """Laws of two columns of which neither says all."""
    for one, other in itertools.combinations(columns, 2) if targets else ():
        both = one & other
        if both.may_decide:
            yield from (law for t in targets if (law := _law(both, t, (one, other))) is not None)


class Lookup(Rule):
    """A column is a function of others, as a dictionary says: on every row, or on nearly all.

    Attributes:
        inputs: the others: own columns, and those of ancestors by their names in the context.
        above: which of them are of ancestors.
        view: what is seen of the only one, with ``{0}`` for it; "" for all of it.
        entries: {``key_text`` of the others: values (``value_text``), each of as many rows as privacy asks for}; of
            several values the hash of the row chooses one. ``OTHER`` stands for what is too rare to be told.
        others: values for what the dictionary does not hold, one of which its hash chooses; the usual ones among them.
        odd: values for ``OTHER``.
        row: Spark SQL of what tells rows apart, where there are exceptions.
        agreed: share of the rows that have the usual value.
        own: Spark SQL of what the rows keep on which one of the others is null, or, if there are no values for what the
            dictionary does not hold, of all such rows; None where every row has a value.
        kept: columns of ancestors that ``own`` names.
        type: Spark type of the column.
    """

    kind: Literal["dictionary"] = "dictionary"
    inputs: tuple[str, ...]
    above: tuple[str, ...] = ()
    view: str = ""
    entries: dict[str, tuple[str, ...]]
    others: tuple[str, ...]
    odd: tuple[str, ...] = ()
    row: tuple[str, ...] = ()
    agreed: float = 1.0
    own: str | None = None
    kept: tuple[str, ...] = ()
    type: str

    @property
    def seen(self) -> tuple[str, ...]:
        """Columns of ancestors."""
        return tuple(dict.fromkeys((*self.above, *self.kept)))

    @property
    def gives(self) -> Role | None:
        """No model need know what follows on every row."""
        return "derived" if self.own is None else None

    def text(self, ancestor: Ancestor) -> str:
        """What it follows from, by how many entries, and on which share of the rows."""
        words = (ancestor(name) if name in self.above else quote(name) for name in self.inputs)
        shown = self.view.format(*words) if self.view else ", ".join(words)
        text = f"a function of {shown} ({len(self.entries):,} entries)"
        return text if self.agreed == 1 else f"{text} on {100 * self.agreed:.2f} % of the rows"

    @property
    def follows(self) -> str:
        """Its inputs of the row, and what some rows keep; words of the dictionary are no columns."""
        return " ".join([*(quote(c) for c in self.inputs if c not in self.above), self.own or ""])

    @property
    def sql(self) -> str | None:
        """The dictionary as constants: entries in buckets, other values as lists."""
        inputs = seen([quote(frames.hidden(name) if name in self.above else name) for name in self.inputs], self.view)
        key = key_text(inputs)
        size = max(1, len(self.entries) // PER_BUCKET)
        buckets = [dict[str, tuple[str, ...]]() for _ in range(size)]
        for name, values in self.entries.items():
            buckets[zlib.crc32(name.encode()) % size][name] = values
        bucket = f"cast(crc32(cast({key} as binary)) % {size} as int)"
        found = f"get({_constant(buckets, 'array<map<string,array<string>>>')}, {bucket})[{key}]"
        if any(len(values) > 1 for values in self.entries.values()):  # a lambda, so that the constant is there once
            chosen = f"get({THIS}, {self._place('value', f'size({THIS})')})"
            other = f"get({_constant(self.odd, 'array<string>')}, {self._place('other', str(len(self.odd)))})"
            found = f"get(transform(array({found}), {THIS} -> {chosen}), 0)"
            found = f"get(transform(array({found}), {THIS} -> if({THIS} = '{OTHER}', {other}, {THIS})), 0)"
        else:
            found = f"get({found}, 0)"
        if self.others:
            place = f"cast(pmod(xxhash64({key}), {len(self.others)}) as int)"
            found = f"coalesce({found}, get({_constant(self.others, 'array<string>')}, {place}))"
        value = f"cast(substring(nullif({found}, '{NULL}'), {len(KNOWN) + 1}) as {self.type})"
        if self.own is None:
            return value
        known = " and ".join(f"{i} is not null" for i in inputs) if self.others else f"{found} is not null"
        return f"if({known}, {value}, {self.own})"

    def _place(self, what: str, size: str) -> str:
        """One of so many places, by the hash of the row."""
        salted = ", ".join((text_literal(f"{self.column} {what}"), *self.row))
        return f"cast(pmod(xxhash64({salted}), {size}) as int)"


def seen(inputs: Sequence[str], view: str) -> list[str]:
    """Spark SQL of what a law looks at, from that of the columns: these, or a part of the only one."""
    return [view.format(*inputs)] if view else list(inputs)


def _constant(values: object, spark_type: str) -> str:
    return f"from_json({text_literal(json.dumps(values))}, '{spark_type}')"


def key_text(inputs: Sequence[str]) -> str:
    """Spark SQL of the name under which a dictionary holds columns: no two rows have one that differ in a column."""
    parts = [
        f"coalesce(concat('{KNOWN}', {f'length({text}), {chr(39)}:{chr(39)}, ' if more else ''}{text}), '{NULL}')"
        for more, text in ((i + 1 < len(inputs), f"cast({name} as string)") for i, name in enumerate(inputs))
    ]
    return parts[0] if len(parts) == 1 else f"concat({', '.join(parts)})"


def value_text(column: str) -> str:
    """Spark SQL of a value as a dictionary holds it."""
    return f"coalesce(concat('{KNOWN}', cast({column} as string)), '{NULL}')"
