"""A column is at or above others of the row and of its ancestors, or at or below them: times and numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from synthohive_spark.rules.choose import reached
from synthohive_spark.rules.evidence import FEW, ROWS, Column, Sample, Vector
from synthohive_spark.rules.kind import Decided, Kind, Law, Searched
from synthohive_spark.rules.kinds.bounds import Bound, Ordered, OrderedLater
from synthohive_spark.rules.line import DAY, Unit
from synthohive_spark.rules.orders import MOSTLY, TIMES, Bounding, best_way, boundings, comparable, on_line, rounded
from synthohive_spark.schema.rule import Rule

GRIDS = (DAY, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)  # microseconds
LARGEST = {"tinyint": 2**7 - 1, "smallint": 2**15 - 1, "int": 2**31 - 1, "bigint": 2**53}  # of ``Ordered.most``
UNITS: Mapping[str, Unit] = {"date": "day", "timestamp": "micro", "timestamp_ntz": "micro"}
NUMBERED = {
    "date": "unix_date({0})",
    "timestamp": "unix_micros({0})",
    "timestamp_ntz": f"unix_date(cast({{0}} as date)) * {DAY}L + (hour({{0}}) * 60 + minute({{0}})) * 60000000L"
    " + cast(date_part('SECOND', {0}) * 1000000 as bigint)",
}  # days and microseconds, whatever the session's time zone


CLOSE_BY = 0.1  # of the usual distance between two rows: a time that is as near to its parent's follows it


class Order(Kind):
    """Pairs of columns that are in order on every row, though by chance they would not be.

    Only a pair whose order the sample's own values do not force counts: two columns of different years are in order
    whoever puts their rows together. A null bounds nothing, nor does a value that means "no end".
    """

    name = "order"
    order = 34

    def search(self, sample: Sample) -> list[Law]:
        """A law per pair and sense in which it is in order, the loosest one first; at the end what others say."""
        found = boundings(sample)
        single = {(b.target.id, b.base.id, b.side): _score(b) for b in found}

        def led(b: Bounding) -> bool:
            mine, theirs = single[b.target.id, b.base.id, b.side], single.get((b.base.id, b.target.id, -b.side))
            return theirs is None or (mine, -b.side) < (theirs, b.side)

        laws = []
        for target in dict.fromkeys(b.target.id for b in found):
            own = [b for b in found if b.target.id == target]
            known = _facts(own[0].target, [b for b in own if led(b)])
            for b in own:
                facts = {**known, "side": b.side, "missing": b.missing, "score": single[b.target.id, b.base.id, b.side]}
                laws += [_law(b, {**facts, "strict": strict, "late": late}) for strict, late in b.forms]
        targets = {law.target for law in laws}
        telling = bounding(laws, {i for law in laws for i in law.inputs}, targets).values()
        wanted = {(law.target, law.inputs) for own in telling for law in own}
        return [*sorted(laws, key=lambda law: (law.target, law.inputs) not in wanted), *_nearest(sample)]

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The column itself, where it is not beyond its bound."""
        if law.facts["side"] == 0:
            return names[law.target]
        own, base = names[law.target], names[law.inputs[0]]
        kinds, facts = (types[law.target], types[law.inputs[0]]), law.facts
        sign = (">" if facts["side"] > 0 else "<") + ("" if facts["strict"] else "=")
        free = [
            f"{NUMBERED[kind].format(name)} div 64 = {int(end) // 64}"
            if kind != "date"
            else f"unix_date({name}) = {int(end)}"
            for name, kind, end in ((own, kinds[0], facts["open"]), (base, kinds[1], facts["endless"]))
            if end is not None
        ]
        if kinds[0] != kinds[1] and kinds[0] in NUMBERED:
            own, base = NUMBERED[kinds[0]].format(own), NUMBERED[kinds[1]].format(base)
            if kinds[0] != "date":
                base = f"({base}) * {DAY}L + {DAY - 1 if facts['late'] else 0}"
            elif facts["late"]:
                base = f"-((-({base}) - pmod(-({base}), {DAY}L)) div {DAY}L)"
            else:
                base = f"((({base}) - pmod({base}, {DAY}L)) div {DAY}L)"
        lawful = " or ".join([f"{own} {sign} {base}", *free])
        return f"if(coalesce({lawful}, true), {names[law.target]}, null)"

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """One per column that the model draws, bases first; a second one where Spark computes some of these."""
        every = list(laws)
        near = {law.target: law for law in every if law.facts["side"] == 0}
        found = [law for law in every if law.facts["side"]]
        names = table.names
        targets = {t for t in table.drawn if names[t] not in decided.valued | decided.ruled}
        ready = {t for t in table.drawn if names[t] not in decided.valued | decided.late} | {*table.given}
        ready |= {i for law in found for i in law.inputs if (c := table.context(i)) is not None and c.meaning}
        later = {i for i, name in names.items() if name in decided.valued | decided.late} - ready
        near = {t: law for t, law in near.items() if t in targets and law.inputs[0] in ready}
        bounds = bounding(found, ready | later, targets)
        # What nothing bounds comes first: others may be bounded by it.
        made: list[Rule] = [_rule(t, [law], table) for t, law in near.items() if t not in bounds]
        for target, own in bounds.items():
            now = [law for law in own if law.inputs[0] not in later]
            then = [law for law in own if law not in now and _computable(law, table.types)]
            then = [law for law in then if target not in reached(law.inputs, decided.after)]  # else it is so by itself
            if now:
                made.append(_rule(target, [*now, *([near[target]] if target in near else [])], table))
            if then and names[target] not in decided.nulls:
                made.append(_later(target, then, table))
                later |= set() if _moves_away(target, then, bounds) else {target}
        return made


def _moves_away(target: str, then: Sequence[Law], bounds: Mapping[str, Sequence[Law]]) -> bool:
    """Whether a column that moves to its bounds moves away from all that it bounds itself."""
    led = {law.facts["side"] for own in bounds.values() for law in own if target in law.inputs}
    return led.isdisjoint(law.facts["side"] for law in then)


def _nearest(sample: Sample) -> list[Law]:
    """For each time the ancestor's from which it is never far: a law that no row breaks, for how it is learnt."""
    found = []
    above = [c for c in sample.columns if c.above and c.family in TIMES and c.open_end is None]
    for target in (c for c in sample.targets if c.family in TIMES and c.distinct > FEW and c.open_end is None):
        told = {c.id: far for c in above if comparable(target, c) and (far := _far(target, c)) is not None}
        if told:
            base = next(c for c in above if c.id == min(told, key=lambda i: told[i]))
            usual = rounded(float(np.nanmedian(on_line(base, target, False))), target)
            facts: dict[str, Any] = {"side": 0, "missing": False, "score": 0.0, "strict": False, "late": False}
            facts |= {"endless": None, "scale": 0, "open": None, "ways": {}, "usual": [usual, usual], "together": False}
            made = Law(Order.name, target.id, (base.id,), "{0}", "part", "", target.distinct, _grid(target), facts)
            found.append(made)
    return found


def _far(target: Column, base: Column) -> float | None:
    """Between what distances most rows lie, as a share of what times there are; None where that is no small part."""
    apart = target.values - on_line(base, target, False)
    known = ~np.isnan(apart)
    if known.sum() < ROWS or known.sum() < MOSTLY * len(target.known):
        return None
    own, distance = (np.subtract(*np.quantile(v[known], (0.9, 0.1))) for v in (target.values, apart))
    return float(distance / own) if own > 0 and distance <= CLOSE_BY * own else None


def _score(b: Bounding) -> float:
    """How much a column would still follow its bound: of two columns in order, the one that does so less is bounded.

    Of two times it is the later one.
    """
    if b.target.family in TIMES:
        return float(b.side < 0)
    line = on_line(b.base, b.target, False)
    return (best_way(b.target, line, None) if b.side > 0 else best_way(b.target, None, line)).bound


def _law(b: Bounding, facts: Mapping[str, Any]) -> Law:
    step = _grid(b.target)
    return Law(
        Order.name,
        b.target.id,
        (b.base.id,),
        "{0}",
        "part",
        "",
        b.target.distinct,
        step,
        {**facts, "endless": b.base.open_end},
    )


def _grid(column: Column) -> int:
    """Microseconds of the grid that times lie on; 1 for days and for numbers that are rounded, else 0."""
    if column.family in ("time", "plain time"):
        values = column.ended
        return next(size for size in GRIDS if not (values[~np.isnan(values)] % size).any())
    return int(not column.number or column.scale is not None)


def _facts(target: Column, led: Sequence[Bounding]) -> dict[str, Any]:
    """What is known of a column whatever becomes of its bounds."""
    low = _joined([b for b in led if b.side > 0], np.fmax)
    high = _joined([b for b in led if b.side < 0], np.fmin)
    ways = dict[str, str]()
    if low is not None:
        ways["lower"] = best_way(target, low, None).way
    if high is not None:
        ways["upper"] = best_way(target, None, high).way
    if low is not None and high is not None:
        ways["both"] = best_way(target, low, high).way
    middle = [None if side is None else float(np.nanmedian(side)) for side in (low, high)]
    usual = [rounded(next((m for m in pair if m is not None), 0.0), target) for pair in (middle, middle[::-1])]
    bounds = [side for side in (low, high) if side is not None]
    unbounded = np.all([np.isnan(side) for side in bounds], axis=0) if bounds else np.zeros(len(target.values), bool)
    null = np.isnan(target.values)
    return {
        "scale": target.scale or 0,
        "open": target.open_end,
        "ways": ways,
        "usual": usual,
        "together": bool(null.any() and unbounded.any() and not (unbounded & ~null).any()),
    }


def _joined(bounds: Sequence[Bounding], join: Any) -> Vector | None:
    """The last lower bound of each row, or the first upper one; NaN where none is known."""
    lines = [on_line(b.base, b.target, False) for b in bounds]
    return join.reduce(lines) if lines else None


def bounding(laws: Iterable[Law], ready: Collection[str], targets: Collection[str]) -> dict[str, list[Law]]:
    """The laws that bound each column, by id: what it is bounded by has its values before it, and stands before it.

    Of two columns that bound each other one is bounded; what follows from other bounds is left out.

    Args:
        laws: verified ones.
        ready: ids of columns that have their values when the model's columns get theirs.
        targets: ids of columns that the model draws and nothing else decides.
    """
    tight = dict[tuple[str, str, int], Law]()
    for law in laws:  # the loosest one comes first
        tight[law.target, law.inputs[0], law.facts["side"]] = law
    possible = [
        law
        for (target, base, side), law in tight.items()
        if target in targets
        and base in ready
        and tight.keys().isdisjoint({(target, base, -side), (base, target, side)})  # else they are equal
    ]
    after: dict[str, dict[str, Law]] = {}
    for law in sorted(possible, key=lambda w: (w.facts["score"], -w.facts["side"], w.target, w.inputs)):
        target, base = law.target, law.inputs[0]
        if target not in reached([base], after):
            after.setdefault(target, {})[base] = law
    kept = {t: [law for law in own.values() if not _follows(law, after)] for t, own in after.items()}
    return {t: kept[t] for t in sorted(kept, key=lambda t: (len(reached([t], after)), t))}


def _follows(law: Law, after: Mapping[str, Mapping[str, Law]]) -> bool:
    """Whether two others say it: a column between, which is there wherever the bounded one is, and as strict."""
    side, base = law.facts["side"], law.inputs[0]
    for between, first in after[law.target].items():
        second = after.get(between, {}).get(base)
        if second is not None and not first.facts["missing"]:
            strict = any(w.facts["strict"] for w in (first, second))
            sides = {w.facts["side"] for w in (first, second)} == {side}
            if sides and (strict or not law.facts["strict"]):
                return True
    return False


def _rule(target: str, laws: Sequence[Law], table: Searched) -> Ordered:
    """The rule of a column."""
    sides = [tuple(_bound(w, table) for w in laws if w.facts["side"] == side) for side in (1, -1)]
    nearest = next((w for w in laws if w.facts["side"] == 0), None)
    facts, kind = laws[0].facts, table.types[target]
    present = "both" if all(sides) else "lower" if sides[0] else "upper"
    way = facts["ways"].get(present, "own")
    if way != "own" or facts["open"] is not None:
        nearest = None  # it is measured from a bound already
    return Ordered(
        column=table.names[target],
        lower=sides[0],
        upper=sides[1],
        way=way if nearest is None else "near",
        near=None if nearest is None else _bound(nearest, table),
        unit=UNITS.get(kind, "number"),
        step=laws[0].step,
        scale=facts["scale"],
        usual=(facts if nearest is None else nearest.facts)["usual"],
        open=facts["open"],
        together=facts["together"],
        most=LARGEST.get(kind, 0),
    )


def _computable(law: Law, types: Mapping[str, str]) -> bool:
    """Whether Spark can move a value to its bound: of its own family, and where neither may mean "no end"."""
    kinds = [types[law.target], types[law.inputs[0]]]
    return len({UNITS.get(k, "number") for k in kinds}) == 1 and law.facts["open"] is law.facts["endless"] is None


def _later(target: str, laws: Sequence[Law], table: Searched) -> OrderedLater:
    """The rule of a column whose bounds are computed."""
    sides = [tuple(_bound(w, table) for w in laws if w.facts["side"] == side) for side in (1, -1)]
    return OrderedLater(
        column=table.names[target],
        lower=sides[0],
        upper=sides[1],
        unit=UNITS.get(table.types[target], "number"),
        step=laws[0].step,
        scale=laws[0].facts["scale"],
    )


def _bound(law: Law, table: Searched) -> Bound:
    """A law's bound."""
    base, facts = law.inputs[0], law.facts
    above = table.context(base)
    name = table.names[base] if above is None else above.name
    return Bound(name=name, above=above is not None, strict=facts["strict"], late=facts["late"], open=facts["endless"])
