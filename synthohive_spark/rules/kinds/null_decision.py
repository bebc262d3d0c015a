"""Where a column is null follows from thresholds and categories: no number of a card where the payment was in cash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from synthohive_spark.rules.branches import (
    Branch,
    Leaf,
    Way,
    at_leaves,
    case,
    from_json,
    inputs_of,
    leaves,
    merged,
    questions,
    shallow,
    size,
    to_json,
)
from synthohive_spark.rules.choose import acyclic
from synthohive_spark.rules.evidence import Sample
from synthohive_spark.rules.growing import SET, nulls, proven
from synthohive_spark.rules.kind import WAY, Decided, Kind, Law, Searched
from synthohive_spark.rules.kinds.null_implication import NullWhere
from synthohive_spark.rules.sharpen import spoken
from synthohive_spark.schema.rule import Rule
from synthohive_spark.tables import TEXT

LEVELS = 2  # of questions where some rows stay open: what more of them say is seldom a law
NULL = Leaf(((None, 1),))
OPEN = Leaf(((SET, 1), (None, 1)), open=True)
ANY = {"date": "date'1970-01-01'", "boolean": "false", "timestamp": "timestamp_seconds(0)"}


class NullDecision(Kind):
    """Columns that are null on some rows: exactly where the questions say so, or there and on other rows as well."""

    name = "null_decision"
    order = 32
    tells_nulls = True
    impersonal = True

    def search(self, sample: Sample) -> list[Law]:
        """Trees that leave nothing but nulls at some leaf; those that say all of it first."""
        found = []
        for target, ways in nulls(sample, sample.targets).items():
            whole = [way for way in ways if all(leaf.only for leaf in leaves(way))]
            part = [_where_null(proven(shallow(way, LEVELS))) for way in ways if not whole]
            said = [way for way in part if isinstance(way, Branch) and not _implied(way)]
            found += [Law(self.name, target, inputs_of(w), "", "whole", facts={WAY: to_json(w)}) for w in whole]
            found += [Law(self.name, target, inputs_of(w), "", "part", facts={WAY: to_json(w)}) for w in said]
        return list(dict.fromkeys(found))  # trees that differ in what is no law are one

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """Null where the questions lead to null; elsewhere a value, where that is part of the law."""
        own, kind = names[law.target], types[law.target]
        some = "''" if kind.startswith(TEXT) else ANY.get(kind, f"cast(0 as {kind})")
        known = own if law.reach == "part" else f"coalesce({own}, {some})"
        return self._case(law, names, types, known)

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per column of which no law gives every value."""
        free = [law for law in laws if table.names[law.target] not in decided.whole]
        made = list[Rule]()
        for law in acyclic(sorted(free, key=_preferred), decided.after):
            column, above = table.names[law.target], table.above(law.inputs)
            sql = self._case(law, table.references, table.types, table.references[law.target])
            made.append(NullWhere(column=column, causes=(), expression=sql, exactly=law.reach == "whole", above=above))
        return made

    def _case(self, law: Law, names: Mapping[str, str], types: Mapping[str, str], known: str) -> str:
        def told(leaf: Leaf) -> str:
            return "null" if leaf.values[0][0] is None else known

        return case(from_json(law.data), names, lambda column, v: spoken(types, column, v), told)


def _where_null(way: Way) -> Way:
    """What a tree says of nulls: at each leaf that all are null, or nothing."""
    made = at_leaves(way, lambda leaf: NULL if leaf.only and leaf.values[0][0] is None else OPEN)
    return merged(made, lambda a, b: a.open == b.open)


def _implied(way: Branch) -> bool:
    """Whether it says only that a column is null where another one is, which another kind finds."""
    return len(questions(way)) == 1 and way.asked.asks == "null" and way.yes == NULL


def _preferred(law: Law) -> tuple[bool, int, int, int]:
    """Whole laws first, the last columns first: so those that are null together follow from the first of them."""
    way = from_json(law.data)
    return law.reach != "whole", -int(law.target[1:]), size(way), min(int(i[1:]) for i in law.inputs)
