"""Numbers on a rank scale: single values that are states, and a quantile function for the rest.

Shared by every kind that maps to numbers (numeric, integer, decimal, date, timestamp). Integers stay exact at any
size: arrays are int64 where the values fit and Python ints otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthohive_spark.models.encoders.endings import Endings, find_endings
from synthohive_spark.models.encoders.holders import ends, means_around, people_behind, supports, window_means
from synthohive_spark.models.encoders.sample import BottomK
from synthohive_spark.models.encoders.spec import Encoded, Limits
from synthohive_spark.privacy.coarse import Ends, coarse_numbers, few_rows
from synthohive_spark.randomness import mix

Numbers = NDArray[Any]
MAX_KNOTS = 513  # quantiles of a number: to a quarter of a per cent
DISCRETE_SHARE = 0.2  # distinct values per row below which a number may be discrete
DISCRETE_COVER = 0.8  # share of the rows that frequent values must then hold
CATEGORY_COVER = 0.5  # share of the rows that they must hold to be categories
_EXACT_FLOAT = 2**53
_GOLDEN = 0.6180339887498949  # its multiples modulo 1 lie apart from each other, however many they are


@dataclass(frozen=True)
class RankScale:
    """The states and the quantile function of a numeric column.

    State codes are ``values`` in order, then "continuous" if there are ``levels``, then null.

    Attributes:
        floating: whether the numbers are floats (else integers).
        values: sorted numbers that are states of their own (all of them, or atoms).
        levels: sorted numbers of the continuous part: steps of the distribution if ``shares`` is given, else knots at
            equal ranks, interpolated.
        shares: cumulative share of the continuous part up to each step.
        has_null: whether null is a state.
        endings: last digits that interpolated numbers are moved to.
        coarse: ``levels`` are the ends of a range that holds too few rows to be known by more: ranks mean nothing.
    """

    floating: bool
    values: tuple[Any, ...]
    levels: tuple[Any, ...]
    shares: tuple[float, ...]
    has_null: bool
    endings: Endings | None = None
    coarse: bool = False

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> RankScale:
        """Returns the scale from JSON values."""
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
        if isinstance(ends := fields.get("endings"), Mapping):
            fields["endings"] = Endings.from_json(ends)
        return cls(**fields)

    @property
    def continuous_code(self) -> int | None:
        """The code of the continuous state."""
        return len(self.values) if self.levels else None

    @property
    def has_scalar(self) -> bool:
        """Whether a scalar goes with the state."""
        return bool(self.levels)

    @property
    def cardinality(self) -> int:
        """Number of states."""
        return len(self.values) + bool(self.levels) + self.has_null

    @cached_property
    def _values(self) -> Numbers:
        return as_numbers(self.values, self.floating)

    @cached_property
    def _levels(self) -> Numbers:
        return as_numbers(self.levels, self.floating)

    @cached_property
    def _steps(self) -> NDArray[np.float64]:
        return np.asarray(self.shares, dtype=np.float64)

    def encode(self, numbers: Numbers, rng: np.random.Generator | None) -> Encoded:
        """Encodes (n,) non-null numbers; what is neither a state nor on the scale goes to the nearest kept value."""
        if self.continuous_code is None:
            return Encoded(_nearest(self._values, numbers))
        codes = np.full(numbers.size, self.continuous_code, dtype=np.int64)
        if self.values:
            position = np.minimum(np.searchsorted(self._values, numbers), len(self.values) - 1)
            hit = np.asarray(self._values[position] == numbers, dtype=bool)
            codes[hit] = position[hit]
        ranks = np.zeros(numbers.size)
        free = codes == self.continuous_code
        spread = rng.random(int(free.sum())) if rng is not None else np.full(int(free.sum()), 0.5)
        rank_of = self._rank_in_steps if self.shares else self._rank_in_knots
        ranks[free] = 2.0 * (spread if self.coarse else rank_of(numbers[free], spread)) - 1.0
        return Encoded(codes, ranks)

    def encode_with_nulls(self, numbers: Numbers, null: NDArray[np.bool_], rng: np.random.Generator | None) -> Encoded:
        """Encodes the non-null ``numbers`` of an (n,) column whose null rows are ``null``.

        Where null is no state (a context that was never null in training), null rows take the middle of the scale.
        """
        middle = self.continuous_code if self.continuous_code is not None else len(self.values) // 2
        return with_nulls_encoded(self.encode(numbers, rng), null, self.cardinality - 1 if self.has_null else middle)

    def decode(self, encoded: Encoded) -> tuple[Numbers, NDArray[np.bool_]]:
        """Returns (n,) numbers and the (n,) null mask; null rows hold an arbitrary kept number."""
        codes = encoded.codes
        null = codes == (self.cardinality - 1 if self.has_null else -1)
        if not self.values and not self.levels:
            return as_numbers([0.0 if self.floating else 0] * codes.size, self.floating), null
        if self.values:
            numbers = self._values[np.minimum(codes, len(self.values) - 1)]
        else:
            numbers = self._levels[np.zeros(codes.size, dtype=np.int64)]
        if self.continuous_code is not None and encoded.ranks is not None:
            free = codes == self.continuous_code
            uniform = np.clip((encoded.ranks[free] + 1.0) / 2.0, 0.0, 1.0)
            if self.coarse:
                uniform = _apart(uniform)
            numbers = numbers.astype(np.result_type(numbers, self._levels))
            numbers[free] = self._step_at(uniform) if self.shares else self._between_knots(uniform)
        return numbers, null

    def _rank_in_steps(self, numbers: Numbers, spread: NDArray[np.float64]) -> NDArray[np.float64]:
        step = _nearest(self._levels, numbers)
        low = np.concatenate([[0.0], self._steps])[step]
        # Away from the edges, so that float32 in the network does not move a value to its neighbour.
        ranks: NDArray[np.float64] = low + (self._steps[step] - low) * (0.05 + 0.9 * spread)
        return ranks

    def _step_at(self, uniform: NDArray[np.float64]) -> Numbers:
        return self._levels[np.minimum(np.searchsorted(self._steps, uniform), len(self.levels) - 1)]

    def _rank_in_knots(self, numbers: Numbers, spread: NDArray[np.float64]) -> NDArray[np.float64]:
        knots, last = self._levels, len(self.levels) - 1
        left = np.searchsorted(knots, numbers, side="left")
        right = np.searchsorted(knots, numbers, side="right")
        position = left + (right - 1 - left) * spread
        between = (left == right) & (left > 0) & (left <= last)
        below, above = knots[left[between] - 1], knots[left[between]]
        position[between] = left[between] - 1 + fraction(numbers[between], below, above)
        clipped: NDArray[np.float64] = np.clip(np.where((left == right) & (left == 0), 0.0, position), 0.0, last) / last
        return clipped

    def _between_knots(self, uniform: NDArray[np.float64]) -> Numbers:
        position = uniform * (len(self.levels) - 1)
        index = np.minimum(position.astype(np.int64), len(self.levels) - 2)
        low, high = self._levels[index], self._levels[index + 1]
        numbers = interpolate(low, high, position - index)
        return numbers if self.endings is None else self.endings.apply(numbers, low, high)


def _apart(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (n,) places in [0, 1) that lie apart from each other; where they begin is a hash of the ranks.

    A model of so few rows has learnt their noise, and repeats it: all of its ranks may be one number.
    """
    begin = float(mix(ranks.view(np.int64)).sum(dtype=np.uint64)) / 2.0**64
    steps = np.arange(ranks.size, dtype=np.float64)
    places: NDArray[np.float64] = (begin + _GOLDEN * steps) % 1.0
    return places


def with_nulls_encoded(present: Encoded, null: NDArray[np.bool_], code: int) -> Encoded:
    """Returns the (n,) encoded rows of which the non-null ones are ``present``; null rows have ``code`` and rank 0."""
    if not null.any():
        return present
    codes = np.full(null.size, code, dtype=np.int64)
    codes[~null] = present.codes
    if present.ranks is None:
        return Encoded(codes)
    ranks = np.zeros(null.size)
    ranks[~null] = present.ranks
    return Encoded(codes, ranks)


def as_numbers(values: Sequence[Any] | Numbers, floating: bool) -> Numbers:
    """Returns a float64 array, or an int64 array, or Python ints where int64 is too narrow."""
    if floating:
        return np.asarray(values, dtype=np.float64)
    try:
        return np.asarray(values, dtype=np.int64)
    except OverflowError:
        return np.asarray(values, dtype=object)


def build_scale(
    sample: BottomK,
    has_null: bool,
    limits: Limits,
    decimals: int | None,
    coarse: Callable[[Any, Any], Ends] = coarse_numbers,
) -> RankScale:
    """Builds the scale of a column.

    Args:
        sample: of the non-null numbers, sorted.
        has_null: whether null is a state.
        limits: what may be kept. No number is used verbatim unless ``min_count`` people hold it; the ends of the scale
            follow from the people next to the min_count-th ones, and each knot is the mean of min_count people.
        decimals: digits after the point of numbers that end in digits, None for others.
        coarse: the range around the least and the greatest of a few numbers that may be told of them.
    """
    floating, size = sample.values.dtype.kind == "f", sample.values.size

    def scale(values: Numbers, levels: Numbers, shares: Numbers) -> RankScale:
        return RankScale(floating, tuple(values.tolist()), tuple(levels.tolist()), tuple(shares.tolist()), has_null)

    none = sample.values[:0]
    if not size:
        return scale(none, none, none)
    values, counts, held = supports(sample)
    kept = held >= limits.min_count
    if values.size <= limits.max_numbers and counts[kept].sum() >= CATEGORY_COVER * size:
        return scale(values[kept], none, none)
    finite = np.isfinite(values) if floating else np.ones(values.size, dtype=bool)
    atom = kept & ((counts >= max(limits.atom_share * size, limits.atom_rows)) | ~finite)
    rest = sample.chosen(np.repeat(~atom & finite, counts))
    people = people_behind(rest)
    if not people or (atom.any() and people < limits.min_count):
        return scale(values[atom] if atom.any() else as_numbers([0], floating), none, none)
    if people < few_rows(limits.min_count):
        span = coarse(rest.values[0], rest.values[-1])
        return replace(scale(values[atom], as_numbers(span, floating), none), coarse=True)
    discrete = values.size < DISCRETE_SHARE * size or bool(kept.all())
    levels, shares = _quantiles(rest, discrete, limits.min_count)
    if levels.size == 1:
        return scale(np.unique(np.concatenate([values[atom], levels])), none, none)
    if shares.size or decimals is None:
        return scale(values[atom], levels, shares)
    return replace(scale(values[atom], levels, shares), endings=find_endings(rest, levels, decimals, limits.min_count))


def _quantiles(sample: BottomK, discrete: bool, min_count: int) -> tuple[Numbers, NDArray[np.float64]]:
    """Returns (levels, cumulative shares) for discrete numbers, (knots, empty) for continuous ones."""
    values, counts, held = supports(sample)
    kept = held >= min_count
    if discrete and counts[kept].sum() >= DISCRETE_COVER * counts.sum():
        mass = np.bincount(_nearest(values[kept], values), weights=counts, minlength=int(kept.sum()))
        return values[kept], np.cumsum(mass) / mass.sum()
    low, high = ends(sample, min_count)
    if low >= high:
        return window_means(sample.values[None, :]), np.empty(0)
    clipped = BottomK(np.clip(sample.values, *as_numbers([low, high], values.dtype.kind == "f")), sample.origin)
    knots = min(MAX_KNOTS, max(2, people_behind(sample) // min_count + 1))
    centre = np.rint(np.linspace(0, sample.values.size - 1, knots)).astype(np.int64)
    levels = means_around(clipped, centre, min_count)
    levels[0], levels[-1] = low, high
    return np.maximum.accumulate(levels), np.empty(0)


def _nearest(sorted_values: Numbers, numbers: Numbers) -> NDArray[np.int64]:
    """Returns the index of the nearest of the sorted values, the exact one where there is one."""
    if sorted_values.size == 0:
        return np.zeros(numbers.size, dtype=np.int64)
    right = np.minimum(np.searchsorted(sorted_values, numbers), sorted_values.size - 1)
    left = np.maximum(right - 1, 0)
    point = numbers.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        to_left = np.abs(point - sorted_values[left].astype(np.float64))
        to_right = np.abs(sorted_values[right].astype(np.float64) - point)
    exact = np.asarray(sorted_values[right] == numbers, dtype=bool)
    return np.where(exact | ~(to_left <= to_right), right, left).astype(np.int64)


def fraction(numbers: Numbers, low: Numbers, high: Numbers) -> NDArray[np.float64]:
    """Returns where each number lies between its knots, in [0, 1]; exact for integers of any size."""
    if numbers.dtype.kind == "f":
        shares = (numbers / 2 - low / 2) / (high / 2 - low / 2)
    elif numbers.size and all(values.dtype.kind == "i" and _fits_float(values) for values in (numbers, low, high)):
        shares = (numbers - low) / (high - low)
    else:
        start = low.astype(object)
        shares = (numbers.astype(object) - start) / (high.astype(object) - start)
    return np.clip(np.asarray(shares, dtype=np.float64), 0.0, 1.0)


def interpolate(low: Numbers, high: Numbers, share: NDArray[np.float64]) -> Numbers:
    """Returns low + (high - low) * share in the type of ``low``, never outside [low, high]."""
    if low.dtype.kind == "f":
        return np.clip(low * (1.0 - share) + high * share, low, high)
    if low.size == 0:
        return low
    if low.dtype.kind == "i" and _fits_float(low) and _fits_float(high):
        return low + np.rint((high - low) * share).astype(np.int64)
    triples = zip(low.tolist(), high.tolist(), share.tolist(), strict=True)
    exact = [a + min(b - a, int((b - a) * f)) for a, b, f in triples]
    return np.asarray(exact, dtype=low.dtype)


def _fits_float(numbers: Numbers) -> bool:
    """Returns whether differences of the integers are exact as floats."""
    return max(abs(int(numbers.min())), abs(int(numbers.max()))) < _EXACT_FLOAT // 2
