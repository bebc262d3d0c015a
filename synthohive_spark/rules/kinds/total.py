"""A number is a sum of three or four parts, of which some are products: subtotal plus tax plus freight.

So may be what a rate takes of it: tax is a country's share of subtotal less discount plus fee.

A weighted sum over some rows stands for a column. It is linear: what a target has beyond one part must be what the
others have together, and that is looked up among all pairs and products.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import Column, Sample, Vector
from synthohive_spark.rules.formula import Formula, Levels, Term, only, put_together, telling
from synthohive_spark.rules.kinds.numbers import first, wide
from synthohive_spark.rules.value_kind import DIFFERENT, Candidate
from synthohive_spark.schema.rule import EXACT

COMPARED = 12  # rows on which sums are compared, all at once
HITS = 64  # sums of a target, of one form, that are looked at on every row
RATES, VALUES = 8, 64  # numbers that may be a rate, and how many values each has at most
FINEST = 9  # decimals that a target has where nothing says how many
LEAST, LOW = 2, 1.0  # values of a rate, and the highest that may be a share of one as well as a percentage
SIGNS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


class Total(Formula):
    """Sums of three or four numbers, of a product and one or two, of two products, with any signs; a share of three."""

    name = "total"
    order = 10
    rounds = True

    def levels(self, sample: Sample) -> Levels:
        """Sums of fewest parts first."""
        shown = np.array([c.values[sample.probe] for c in sample.numbers])
        likely = sorted(sample.numbers, key=lambda c: c.known.max(initial=0.0) >= 1)  # a share of one, then others
        rates = [term for c in likely if c.distinct <= VALUES for term in _rates(c)][:RATES]

        def of(target: Column) -> Iterator[list[Candidate]]:
            plain = iter(_Sums(sample, target, shown))
            of_rates = (_Sums(sample, target, shown, rate) for rate in rates if rate.inputs[0].id != target.id)
            yield [*next(plain), *(c for sums in of_rates for c in sums.of_three())]
            yield from plain

        return lambda target: of(target) if len(shown) > 2 else []


@dataclass(frozen=True)
class _Parts:
    """Parts of a sum, by the places of their columns: one number, two numbers, or the product of two.

    Attributes:
        each: places of the columns, shape (parts, 1 or 2).
        signs: of each of them; of a product the first. Of the same shape.
        product: whether they are products.
        value: what stands for them, shape (parts,).
    """

    each: Ints
    signs: Ints
    product: bool
    value: Vector

    def terms(self, part: int, numbers: Sequence[Column]) -> list[tuple[int, Term]]:
        """A part as signed terms."""
        columns, signs = (
            [Term((c,), wide(0, c), first) for c in (numbers[i] for i in self.each[part])],
            self.signs[part].tolist(),
        )
        if self.product:
            return [(signs[0], put_together("try_multiply", *columns))]
        return list(zip(signs, columns, strict=True))

    def near(self, wanted: Vector, tolerance: float) -> Iterator[tuple[int, int]]:
        """(place in ``wanted``, part) wherever they agree."""
        order, known = self._sorted
        begin, end = np.searchsorted(known, wanted - tolerance), np.searchsorted(known, wanted + tolerance, "right")
        for i in np.flatnonzero((end > begin) & ~np.isnan(wanted)).tolist():
            for j in order[begin[i] : end[i]].tolist():
                yield i, j

    @functools.cached_property
    def _sorted(self) -> tuple[Ints, Vector]:
        order = np.argsort(self.value)
        return order, self.value[order]


class _Sums:
    """The sums that one target has on some rows: iterating gives those of fewest parts first.

    Args:
        sample: the columns.
        target: one of them.
        shown: the numbers on the probe, shape (numbers, rows).
        rate: what is taken of the sums; None for all.
    """

    def __init__(self, sample: Sample, target: Column, shown: Vector, rate: Term | None = None) -> None:
        self.target, self.rate, self.probe = target, rate, sample.probe
        left = {target.id} | (set() if rate is None else {rate.inputs[0].id})
        others = [i for i, c in enumerate(sample.numbers) if c.id not in left]
        self.numbers, shown = [sample.numbers[i] for i in others], shown[others]
        if rate is not None:
            shown = shown * rate.make([rate.inputs[0].values[sample.probe]])
        rows = telling(target.values[sample.probe], shown, COMPARED)
        weights = 2 + np.sin(np.arange(1, len(rows) + 1))
        shown = shown[:, rows]
        self.wanted = float(target.values[sample.probe][rows] @ weights)
        self.exact = 10 * EXACT * max(1.0, abs(self.wanted))
        unit = 10.0**-target.scale if target.scale else 0.0  # a product may have more decimals than the target
        self.rounded = self.exact + 0.5 * unit * float(weights.sum())
        i, j = np.triu_indices(len(self.numbers), 1)
        each, pair, product = shown @ weights, np.column_stack([i, j]), (shown[i] * shown[j]) @ weights
        places = np.arange(len(self.numbers))[:, None]
        self.singles = _joined(_Parts(places, np.full_like(places, a), False, a * each) for a in (1, -1))
        self.pairs = _joined(
            _Parts(pair, np.broadcast_to([a, b], pair.shape), False, a * each[i] + b * each[j]) for a, b in SIGNS
        )
        self.products = _joined(_Parts(pair, np.full_like(pair, a), True, a * product) for a in (1, -1))

    def of_three(self) -> list[Candidate]:
        """Those of three numbers."""
        return self._found(self.singles, self.pairs)

    def __iter__(self) -> Iterator[list[Candidate]]:
        yield [*self.of_three(), *self._found(self.singles, self.products)]
        yield [
            *self._found(self.pairs, self.pairs),
            *self._found(self.pairs, self.products),
            *self._found(self.products, self.products),
        ]

    def _found(self, some: _Parts, others: _Parts) -> list[Candidate]:
        """Sums of one of these and one of those."""
        rounded = others.product or self.rate is not None
        tolerance, made = self.rounded if rounded else self.exact, dict[frozenset[tuple[int, str]], Candidate]()
        for i, j in others.near(self.wanted - some.value, tolerance):
            terms = sorted([*some.terms(i, self.numbers), *others.terms(j, self.numbers)], key=lambda t: -t[0])
            ids = [c.id for _, term in terms for c in term.inputs]
            if terms[0][0] > 0 and len({*ids}) == len(ids) and all(_adds(term) for _, term in terms):
                whole = terms[0][1]
                for sign, term in terms[1:]:
                    whole = put_together("try_add" if sign > 0 else "try_subtract", whole, term)
                if self.rate is not None:
                    whole = put_together("try_multiply", whole, self.rate)
                    if not self._near(whole):
                        continue
                name = frozenset((sign, ",".join(sorted(c.id for c in term.inputs))) for sign, term in terms)
                made.setdefault(name, Candidate(whole.inputs, whole.sql, whole.make, only(self.target), rounded=True))
            if len(made) >= HITS:
                break
        return list(made.values())

    def _near(self, whole: Term) -> bool:
        """Whether each row of the probe has the value, as it is rounded: weighted sums of some agree by chance."""
        made, own = whole.make([c.values[self.probe] for c in whole.inputs]), self.target.values[self.probe]
        known, unit = ~np.isnan(made) & ~np.isnan(own), 10.0 ** -(self.target.scale or FINEST)
        return bool((np.abs(made - own)[known] <= 0.51 * unit).all())


def _rates(column: Column) -> list[Term]:
    """A number as a rate, if it is a share of one or a percentage."""
    low, high = column.known.min(initial=0.0), column.known.max(initial=0.0)
    if low < 0 or not 0 < high <= 100 or column.distinct < LEAST:
        return []
    share = Term((column,), wide(0, column), first)
    if high < 1:
        return [share]
    percent = Term((column,), f"{wide(0, column)} / 100", lambda v: v[0] / 100)
    return [percent] if high > LOW else [share, percent]


def _adds(term: Term) -> bool:
    """Whether a term is something on some rows."""
    made = term.make([c.values for c in term.inputs])
    return int((np.abs(made) > EXACT).sum()) >= DIFFERENT


def _joined(parts: Iterable[_Parts]) -> _Parts:
    """Parts of one form, one behind the other."""
    each = list(parts)
    return _Parts(
        np.concatenate([p.each for p in each]),
        np.concatenate([p.signs for p in each]),
        each[0].product,
        np.concatenate([p.value for p in each]),
    )
