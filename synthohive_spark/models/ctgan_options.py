"""The options of CTGAN, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from synthohive_spark.models.options import ModelOptions


@dataclass(frozen=True)
class CTGANOptions(ModelOptions):
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
    NOT_NEGATIVE: ClassVar[tuple[str, ...]] = ("penalty_weight", "moment_weight")

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
