"""The options of CTGAN, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from synthohive_spark.errors import ConfigError
from synthohive_spark.models.common.options import ModelOptions

_CHOICES = MappingProxyType({"normalisation": ("rank", "mode"), "keep": ("best", "last")})
# Where the model of Xu et al. 2019 differs from the defaults.
CLASSIC: Mapping[str, Any] = MappingProxyType(
    {
        "normalisation": "mode",
        "conditional_sampling": True,
        "pac": 10,
        "learning_rate": 2e-4,
        "decay": 1e-6,
        "dropout": 0.5,
        "moment_weight": 0.0,
        "keep": "last",
        "calibrate": False,
    }
)


@dataclass(frozen=True)
class CTGANOptions(ModelOptions):
    """All options of CTGAN.

    Attributes:
        batch_size: rows of a batch; smaller for tables with fewer rows. The default is also smaller where
            ``max_seconds`` would buy few steps.
        epochs: passes over the data. None: the number of steps follows the size of the table, within ``max_seconds``.
        embedding_dim: width of the noise.
        generator_dim: widths of the generator's residual blocks.
        discriminator_dim: widths of the critic's layers.
        legacy_context_conditioning: whether the generator step reuses the parent context of the critic's batch instead
            of sampling it afresh.
        normalisation: of numbers: "rank" (their rank, and states for frequent ones) or "mode" (one of at most
            ten Gaussian modes, and the place within it).
        conditional_sampling: whether each row is trained and sampled under a condition, one state of one discrete
            column, drawn in training by the logarithm of its rows. A condition is drawn without regard to the parent,
            so for children it weakens what ties them to their parents.
        pac: rows that the critic sees together. None: 1 with context, 2 without.
        learning_rate: of both networks.
        decay: of the weights of both networks, as a share of the weights in the gradient.
        dropout: share of the critic's hidden units.
        penalty_weight: of the gradient penalty.
        moment_weight: of the loss on means and covariances.
        keep: "best" (averaged weights of the look with the nearest associations) or "last" (those of the last step).
        calibrate: whether the shares of categories are corrected after training.
        max_seconds: what the steps may cost at the fixed prices of ``budget``; far behind them the clock stops.
        min_count: rows that must hold a value before it may be used verbatim.
        max_categories: strings kept of a column.
        device: "cpu", "cuda" or "auto".
        threads: of torch, during fit and sample. None leaves them as they are.
        progress: whether to draw a progress bar where stderr is a terminal.
    """

    MODEL: ClassVar[str] = "CTGAN"
    POSITIVE: ClassVar[tuple[str, ...]] = (
        "batch_size",
        "embedding_dim",
        "generator_dim",
        "discriminator_dim",
        "learning_rate",
        "min_count",
        "max_categories",
    )
    POSITIVE_OR_NONE: ClassVar[tuple[str, ...]] = ("epochs", "pac", "max_seconds", "threads")
    NOT_NEGATIVE: ClassVar[tuple[str, ...]] = ("decay", "penalty_weight", "moment_weight")
    SHARES: ClassVar[tuple[str, ...]] = ("dropout",)

    batch_size: int = 500
    epochs: int | None = 300
    embedding_dim: int = 128
    generator_dim: tuple[int, ...] = (256, 256)
    discriminator_dim: tuple[int, ...] = (256, 256)
    legacy_context_conditioning: bool = False
    normalisation: str = "rank"
    conditional_sampling: bool = False
    pac: int | None = None
    learning_rate: float = 2e-3
    decay: float = 0.0
    dropout: float = 0.0
    penalty_weight: float = 10.0
    moment_weight: float = 1.0
    keep: str = "best"
    calibrate: bool = True
    max_seconds: float | None = None
    min_count: int = 3
    max_categories: int = 500
    device: str = "cpu"
    threads: int | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"CTGAN option {name} is {getattr(self, name)!r}; use one of {', '.join(choices)}")
