"""Mode-specific normalisation: a number is one of a few Gaussian modes and its place within that mode.

After Xu et al. 2019, Modeling Tabular data using Conditional GAN, section 4.2.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from synthohive_spark.models.encoders.holders import ends, means_around
from synthohive_spark.models.encoders.rank_scale import (
    Numbers,
    RankScale,
    as_numbers,
    build_scale,
    fraction,
    interpolate,
    with_nulls_encoded,
)
from synthohive_spark.models.encoders.sample import BottomK
from synthohive_spark.models.encoders.spec import Encoded, Limits
from synthohive_spark.privacy.coarse import Ends, coarse_numbers

FIT_POINTS = 1000  # values by which the mixture is fitted
SMALLEST_WEIGHT = 0.005  # of a mode that is kept, as in the reference
CONCENTRATION = 1e-3  # prior of the weights, as in the reference
# A place within a mode is counted in units of so many standard deviations.
REACH = 4.0


@dataclass(frozen=True)
class ModeScale:
    """The modes of a numeric column: state codes are the modes in order, then null.

    Modes lie in [0, 1], between ``low`` and ``high``.

    Attributes:
        floating: whether the numbers are floats (else integers).
        low: the smallest number that is decoded.
        high: the largest one.
        means: (M,) centres, sorted.
        deviations: (M,) standard deviations.
        weights: (M,) shares.
        has_null: whether null is a state.
    """

    floating: bool
    low: Any
    high: Any
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    weights: tuple[float, ...]
    has_null: bool

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ModeScale:
        """Returns the scale from JSON values."""
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
        return cls(**fields)

    @property
    def cardinality(self) -> int:
        """Number of states."""
        return len(self.means) + self.has_null

    @property
    def has_scalar(self) -> bool:
        """Whether a scalar goes with the state."""
        return True

    @property
    def continuous_code(self) -> int | None:
        """None: each mode has a scalar, not one state alone."""
        return None

    @cached_property
    def _centres(self) -> NDArray[np.float64]:
        return np.asarray(self.means)

    @cached_property
    def _reaches(self) -> NDArray[np.float64]:
        return REACH * np.asarray(self.deviations)

    def encode(self, numbers: Numbers, rng: np.random.Generator | None) -> Encoded:
        """Encodes (n,) non-null numbers; what no mode reaches goes to the nearest end of one.

        Args:
            numbers: (n,) numbers.
            rng: draws the mode from those that reach a number, by their density there; without it, the densest.
        """
        place = fraction(numbers, *self._ends(numbers.size))  # (n,)
        within = (place[:, None] - self._centres) / self._reaches  # (n, M)
        beyond = np.abs(within) > 1.0
        log_density = np.log(np.asarray(self.weights) / self._reaches) - REACH**2 / 2 * within**2
        log_density[beyond & ~beyond.all(axis=1, keepdims=True)] = -np.inf
        codes = log_density.argmax(axis=1)
        if rng is not None:
            mass = np.exp(log_density - log_density.max(axis=1, keepdims=True)).cumsum(axis=1)
            codes = (mass <= rng.random((len(place), 1)) * mass[:, -1:]).sum(axis=1)
        unreached = beyond.all(axis=1)
        codes[unreached] = ((np.abs(within[unreached]) - 1.0) * self._reaches).argmin(axis=1)
        return Encoded(codes.astype(np.int64), np.clip(within[np.arange(len(place)), codes], -1.0, 1.0))

    def encode_with_nulls(self, numbers: Numbers, null: NDArray[np.bool_], rng: np.random.Generator | None) -> Encoded:
        """Encodes the non-null ``numbers`` of an (n,) column whose null rows are ``null``.

        Where null is no state, null rows take the middle of the heaviest mode.
        """
        code = len(self.means) if self.has_null else int(np.argmax(self.weights))
        return with_nulls_encoded(self.encode(numbers, rng), null, code)

    def decode(self, encoded: Encoded) -> tuple[Numbers, NDArray[np.bool_]]:
        """Returns (n,) numbers and the (n,) null mask; null rows hold an arbitrary number."""
        if encoded.ranks is None:
            raise ValueError("a column with modes was encoded without a scalar")
        null = encoded.codes == len(self.means)
        modes = np.minimum(encoded.codes, len(self.means) - 1)
        place = self._centres[modes] + self._reaches[modes] * encoded.ranks
        return interpolate(*self._ends(place.size), np.clip(place, 0.0, 1.0)), null

    def _ends(self, rows: int) -> tuple[Numbers, Numbers]:
        ends = as_numbers([self.low, self.high], self.floating)
        return np.broadcast_to(ends[:1], rows), np.broadcast_to(ends[1:], rows)


def build_number_scale(
    sample: BottomK,
    has_null: bool,
    limits: Limits,
    decimals: int | None = None,
    coarse: Callable[[Any, Any], Ends] = coarse_numbers,
) -> RankScale | ModeScale:
    """Builds the scale of a column: states alone where a few numbers cover it, else ranks or modes.

    Args:
        sample: of the non-null numbers, sorted.
        has_null: whether null is a state.
        limits: what may be kept; ``modes`` says whether to look for modes.
        decimals: digits after the point of numbers that end in digits, None for others (dates, times).
        coarse: the range around the least and the greatest of a few numbers that may be told of them.
    """
    ranks = build_scale(sample, has_null, limits, decimals, coarse)
    if not limits.modes or not ranks.levels or ranks.coarse:
        return ranks
    finite = sample.chosen(np.isfinite(sample.values)) if ranks.floating else sample
    low, high = ends(finite, limits.min_count)
    if low >= high:
        return ranks
    size = finite.values.size
    at, span = np.linspace(0, size - 1, min(FIT_POINTS, size)).astype(np.int64), as_numbers([low, high], ranks.floating)
    shown = np.clip(means_around(finite, at, limits.min_count), *span)
    place = fraction(shown, np.broadcast_to(span[:1], at.size), np.broadcast_to(span[1:], at.size))
    modes = [tuple(values.tolist()) for values in _modes(place, min(limits.modes, at.size), size)]
    return ModeScale(ranks.floating, low, high, modes[0], modes[1], modes[2], has_null)


@lru_cache(maxsize=1)
def _thread_pools() -> ThreadpoolController:
    """Returns the thread pools of the libraries loaded, which takes milliseconds to find."""
    return ThreadpoolController()


def _modes(place: NDArray[np.float64], most: int, rows: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Returns the (M,) means, deviations and weights of the modes of (m,) numbers that stand for ``rows`` rows.

    M is at most ``most``. Priors weigh as little as they would beside all rows, so that narrow modes stay narrow.
    """
    # Here, since it is slow to import and only this form needs it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    unit, one_row = place.std() or 1.0, place.size / rows
    mixture = BayesianGaussianMixture(
        n_components=most,
        covariance_type="diag",
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=CONCENTRATION * one_row,
        mean_precision_prior=one_row,
        degrees_of_freedom_prior=one_row,
        covariance_prior=[one_row],
        random_state=0,
    )
    # One thread, so that sums and with them the modes do not depend on the number of cores.
    with _thread_pools().limit(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(place[:, None] / unit)
    kept = mixture.weights_ > SMALLEST_WEIGHT
    order = np.argsort(mixture.means_[kept, 0], kind="stable")
    means, deviations = mixture.means_[kept, 0][order], np.sqrt(mixture.covariances_[kept, 0])[order]
    weights = mixture.weights_[kept][order]
    return unit * means, unit * deviations, weights / weights.sum()
