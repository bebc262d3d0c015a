"""What was found, in sentences: what is good, what is not, what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthohive_spark.evaluation.judging import Figure, FigureName, Judged
from synthohive_spark.evaluation.places import edge_place, table_figures
from synthohive_spark.evaluation.scores import Evaluation, PairScore

GOOD, FAIR = 0.9, 0.75  # shares of the way from which a number is green, or yellow
BROKEN_SAID = 3  # rules that are named
BAD_SAID = 7  # sentences about what is not good
LEAST_LOST = 0.02  # similarity that a thing must lack to be worth a sentence
TITLES: dict[FigureName, tuple[str, str]] = {
    "columns": ("Columns", "values and nulls of each column by itself"),
    "pairs": ("Pairs", "what goes together within a table"),
    "relations": ("Relations", "children per parent, and what they have of parents and siblings"),
    "c2st": ("Hard to tell apart", "whether a classifier tells copied rows from real ones"),
}
NO_ADVICE = {
    "siblings": "Rows of one parent are drawn independently of each other: do not rely on what they have together.",
    "order": "The order of rows within a parent is not learnt: do not rely on sequences in this copy.",
}


@dataclass(frozen=True)
class FigureLine:
    """One of the four figures as a person reads it.

    Attributes:
        name: of the figure, as the gate takes it.
        title: what it is called.
        about: what is in it.
        figure: its numbers.
        gate: the least that was asked for; None without.
    """

    name: FigureName
    title: str
    about: str
    figure: Figure
    gate: float | None

    @property
    def below(self) -> bool:
        """Whether it is below the gate."""
        return self.gate is not None and self.figure.score < self.gate


@dataclass(frozen=True)
class Findings:
    """The page's first screen.

    Attributes:
        verdict: one sentence.
        passed: whether the gate is passed; None without a gate.
        figures: worst first.
        good: what can be relied on.
        bad: what cannot, worst first.
        todo: what to do about it.
    """

    verdict: str
    passed: bool | None
    figures: tuple[FigureLine, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    todo: tuple[str, ...]


def summary(evaluation: Evaluation, fail_under: float | Mapping[str, float] | None, model: Any = None) -> Findings:
    """Say what an evaluation found.

    Args:
        evaluation: it.
        fail_under: the gate.
        model: name of the model, so that the advice can name another one.
    """
    gates = dict(fail_under) if isinstance(fail_under, Mapping) else dict.fromkeys(TITLES, fail_under)
    lines = sorted(
        (FigureLine(n, *TITLES[n], f, gates.get(n)) for n, f in evaluation.figures.items()),
        key=lambda line: line.figure.score,
    )
    passed = None if fail_under is None else evaluation.passes(fail_under)
    return Findings(
        verdict=_verdict(evaluation, lines, passed),
        passed=passed,
        figures=tuple(lines),
        good=tuple(_good(evaluation, lines)),
        bad=tuple(_bad(evaluation)),
        todo=tuple(_todo(evaluation, model)),
    )


def _in_words(share: float) -> str:
    """How far a share of the way is, in words."""
    if share >= GOOD:
        return "about as near to the source as another half of it"
    if share >= FAIR:
        return "most of it is kept"
    if share >= 0.4:
        return "about half of it is kept" if share < 0.6 else "more than half of it is kept"
    return "most of it is lost" if share > 0.1 else "next to nothing of it is kept"


def _verdict(evaluation: Evaluation, lines: list[FigureLine], passed: bool | None) -> str:
    if evaluation.failures:
        return "Keys do not hold, so the copy is not usable as it is."
    if not lines:
        return "Nothing could be judged: the tables are too small, or hold nothing that is compared."
    worst = lines[0]
    said = (
        f"The weakest figure is {worst.title.lower()} ({worst.about}): "
        f"{_two(worst.figure.score)} of 1, {_in_words(worst.figure.score)}."
    )
    if worst.figure.score >= GOOD:
        return f"The copy is as near to the source as another half of the source would be. {said}"
    if passed is False:
        return f"The copy does not do what was asked of it. {said}"
    return said


def _good(evaluation: Evaluation, lines: list[FigureLine]) -> list[str]:
    found = [
        f"{line.title}: {line.figure.score:.0%} of the way to another half of the source ({line.about})."
        for line in lines
        if line.figure.score >= GOOD
    ]
    keys = sum(t.primary_key is not None for t in evaluation.tables)
    links = sum(len(t.foreign_keys) for t in evaluation.tables)
    if not evaluation.failures and keys + links:
        found.append(
            f"Every key holds: {_number(keys, 'primary key')} without a repeat or a null, "
            f"{_number(links, 'foreign key')} without a row that lacks its parent."
        )
    rules = [n for t in evaluation.tables for n in (*(d.broken for d in t.derived), *(c.broken for c in t.constraints))]
    held = sum(n == 0 for n in rules)
    if held:
        found.append(f"{_number(held, 'rule')} between columns {'holds' if held == 1 else 'hold'} on every row.")
    whole = [
        t.table
        for t in evaluation.tables
        if min((f.score for f in table_figures(evaluation, t).values()), default=0) >= GOOD
    ]
    if whole:
        more = len(whole) - 6
        others = f" and {more} more" if more > 0 else ""
        found.append(f"Near the source in every figure: {', '.join(whole[:6])}{others}.")
    return found


def _bad(evaluation: Evaluation) -> list[str]:
    found = list(evaluation.failures)
    broken = sorted(_broken(evaluation), key=lambda one: -one[2])
    found += [f"{table}: {rule} is broken on {_number(n, 'row')}." for table, rule, n in broken[:BROKEN_SAID]]
    if len(broken) > BROKEN_SAID:
        found.append(f"{_number(len(broken) - BROKEN_SAID, 'more rule')} between columns broken.")
    worst = [j for j in evaluation.worst(len(evaluation.judged)) if j.figure != "rules" and j.lost >= LEAST_LOST]
    told = [j for j in worst if j.figure == "c2st"][:2]
    rest = [j for j in worst if j.figure != "c2st"][: BAD_SAID - len(told)]
    return [*found, *(_lost(evaluation, j) for j in (*rest, *told))]


def _broken(evaluation: Evaluation) -> list[tuple[str, str, int]]:
    """Table, rule and rows of what does not hold in the copy."""
    return [
        (t.table, what, n)
        for t in evaluation.tables
        for what, n in (
            *((f"the rule of {d.column}", d.broken) for d in t.derived),
            *((c.rule, c.broken) for c in t.constraints),
        )
        if n
    ]


def _lost(evaluation: Evaluation, one: Judged) -> str:
    """One thing that was lost, as a sentence."""
    kept = f"{one.share:.0%} is kept"
    if one.figure == "c2st":
        right = 0.5 + (1 - one.score) / 2
        return f"A classifier tells {one.what} from real ones in {right:.0%} of all cases."
    if one.kind == "column":
        return (
            f"{one.place}.{one.what} is distributed otherwise: {one.score:.2f} alike, "
            f"where two halves of the source are {one.ceiling:.2f} alike."
        )
    if one.kind == "children per parent":
        fk = next((k for t in evaluation.tables for k in t.foreign_keys if edge_place(t.table, k) == one.place), None)
        means = "" if fk is None else f" (mean {fk.real_mean:.3g} in the source, {fk.synthetic_mean:.3g} in the copy)"
        return f"{one.place}: parents have another number of children{means}."
    if one.kind == "siblings":
        return f"{one.place}: rows of one parent have less to do with each other in {one.what} ({kept})."
    if one.kind == "order":
        return f"{one.place}: the order of rows of one parent is lost in {one.what} ({kept})."
    seen = next((p for p in _pairs(evaluation, one) if {p.left, p.right} == {*_names(one)}), None)
    if seen is None:
        return f"{one.place}: {one.what} do not go together as in the source ({kept})."
    real, copy = (seen.real, seen.synthetic) if seen.metric == "correlation" else _strengths(seen)
    if abs(real - copy) < 0.05:
        return f"{one.place}: {one.what} go together in another way than in the source ({kept})."
    word = "correlation" if seen.metric == "correlation" else "strength"
    return f"{one.place}: {one.what} go together otherwise ({word} {real:.2f} in the source, {copy:.2f} in the copy)."


def _strengths(pair: PairScore) -> tuple[float, float]:
    return pair.real_strength, pair.synthetic_strength


def _pairs(evaluation: Evaluation, one: Judged) -> tuple[PairScore, ...]:
    """Pairs of the table in which something was judged; empty for those of two tables."""
    return next((t.pairs for t in evaluation.tables if t.table == one.place), ())


def _names(one: Judged) -> list[str]:
    return one.what.split(" and ")


def _todo(evaluation: Evaluation, model: Any) -> list[str]:
    lost = [j for j in evaluation.judged if j.share < GOOD and j.lost >= LEAST_LOST]
    kinds = {j.kind for j in lost}
    found = []
    if evaluation.failures:
        found.append("A key that does not hold is a fault of the package or of another writer: generate again.")
    if {"pair", "parent and child", "two keys apart", "c2st", "c2st_agg"} & kinds and str(model) == "ctgan":
        found.append("Try train.model: autoregressive, which keeps more of what goes together in the same time.")
    if kinds - {*NO_ADVICE}:
        found.append("Train longer (train.max_seconds, train.epochs), or on more rows (train.sample_rows).")
    found += [advice for kind, advice in NO_ADVICE.items() if kind in kinds]
    if evaluation.left_out:
        found.append(
            f"{_number(len(evaluation.left_out), 'thing')} could not be judged and must be looked at by eye "
            "(listed under “Not judged”)."
        )
    return found or ["Nothing: use it."]


def _two(share: float) -> str:
    """Two decimals, rounded down."""
    return f"{int(share * 100 + 1e-6) / 100:.2f}"


def _number(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
