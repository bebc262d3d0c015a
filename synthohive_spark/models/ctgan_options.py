"""The options of CTGAN, checked before any work."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from synthohive_spark.errors import ConfigError

# Options of the machine, not of the model: they are not saved.
_RUNTIME = ("device", "threads", "progress")
_POSITIVE = ("batch_size", "embedding_dim", "learning_rate", "min_count", "max_categories")
_POSITIVE_OR_NONE = ("epochs", "pac", "max_seconds", "threads")
_NOT_NEGATIVE = ("penalty_weight", "moment_weight")


@dataclass(frozen=True)
class CTGANOptions:
    """All options of CTGAN.

    Attributes:
        batch_size: rows of a batch; smaller for tables with fewer rows.
        epochs: passes over the data. None: the number of steps follows the size of the table, within ``max_seconds``.
        embedding_dim: width of the noise.
        generator_dim: widths of the generator's residual blocks.
        discriminator_dim: widths of the critic's layers.
        legacy_context_conditioning: whether the generator step reuses the parent context of the critic's batch instead
            of sampling it afresh.
        pac: rows that the critic sees together. None: 1 with context, 2 without.
        learning_rate: of both networks.
        penalty_weight: of the gradient penalty.
        moment_weight: of the loss on means and covariances.
        calibrate: whether the shares of categories are corrected after training.
        max_seconds: what the steps may cost at the fixed prices of ``budget``; far behind them the clock stops.
        min_count: rows that must hold a value before it may be used verbatim.
        max_categories: strings kept of a column.
        device: "cpu", "cuda" or "auto".
        threads: of torch, during fit and sample. None leaves them as they are.
        progress: whether to draw a progress bar where stderr is a terminal.
    """

    batch_size: int = 500
    epochs: int | None = 300
    embedding_dim: int = 128
    generator_dim: tuple[int, ...] = (256, 256)
    discriminator_dim: tuple[int, ...] = (256, 256)
    legacy_context_conditioning: bool = False
    pac: int | None = None
    learning_rate: float = 2e-3
    penalty_weight: float = 10.0
    moment_weight: float = 1.0
    calibrate: bool = True
    max_seconds: float | None = None
    min_count: int = 3
    max_categories: int = 500
    device: str = "cpu"
    threads: int | None = None
    progress: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> CTGANOptions:
        """Returns checked options.

        Raises:
            ConfigError: if a name is unknown or a value out of range.
        """
        names = [option.name for option in fields(cls)]
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
                raise ConfigError(f"CTGAN has no option {name!r}; the nearest one is {near!r}")
        sizes = {name: tuple(given[name]) for name in ("generator_dim", "discriminator_dim") if name in given}
        options = cls(**{**given, **sizes})
        wrong = options._out_of_range()
        if wrong:
            raise ConfigError(f"CTGAN options out of range: {wrong}; give numbers above 0")
        return options

    def to_json(self) -> dict[str, Any]:
        """Returns the options that are saved with a model, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in _RUNTIME}

    def _out_of_range(self) -> dict[str, Any]:
        values = asdict(self)
        wrong = [name for name in _POSITIVE if values[name] <= 0]
        wrong += [name for name in _POSITIVE_OR_NONE if values[name] is not None and values[name] <= 0]
        wrong += [name for name in _NOT_NEGATIVE if values[name] < 0]
        wrong += [name for name in ("generator_dim", "discriminator_dim") if min(values[name], default=1) <= 0]
        return {name: values[name] for name in wrong}
