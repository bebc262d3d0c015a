"""The options of the autoregressive model, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from synthohive_spark.models.common.options import ModelOptions


@dataclass(frozen=True)
class AutoregressiveOptions(ModelOptions):
    """All options of ``AutoregressiveModel``.

    Attributes:
        batch_size: rows of a batch. None: it follows the size of the table.
        epochs: passes over the data, all of them taken. None: training stops where held-out families say so, within
            what ``max_seconds`` buys.
        max_seconds: what the steps may cost at the fixed prices of ``budget``; far behind them the clock stops.
        min_count: rows that must hold a value before it may be used verbatim.
        max_categories: strings kept of a column.
        bins: bins of a continuous column. None: they follow the size of the table.
        two_level: whether bins are cut again into pieces. None: for tables of many rows.
        learning_rate: of AdamW. None: it follows the size of the table.
        weight_decay: of AdamW.
        dropout: share of the hidden units.
        context_dropout: share of the rows that are trained without their context. None: it follows from the number
            and the length of the families that the context identifies.
        device: "cpu", "cuda" or "auto".
        threads: of torch, during fit and sample. None leaves them as they are.
        progress: whether to draw a progress bar where stderr is a terminal.
    """

    MODEL: ClassVar[str] = "AutoregressiveModel"
    POSITIVE: ClassVar[tuple[str, ...]] = ("min_count", "max_categories")
    POSITIVE_OR_NONE: ClassVar[tuple[str, ...]] = (
        "batch_size",
        "epochs",
        "max_seconds",
        "bins",
        "learning_rate",
        "threads",
    )
    NOT_NEGATIVE: ClassVar[tuple[str, ...]] = ("weight_decay",)
    SHARES: ClassVar[tuple[str, ...]] = ("dropout", "context_dropout")

    batch_size: int | None = None
    epochs: int | None = None
    max_seconds: float | None = None
    min_count: int = 3
    max_categories: int = 1000
    bins: int | None = None
    two_level: bool | None = None
    learning_rate: float | None = None
    weight_decay: float = 1e-5
    dropout: float = 0.2
    context_dropout: float | None = None
    device: str = "cpu"
    threads: int | None = None
    progress: bool = False
