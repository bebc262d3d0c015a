"""What is tried when memory runs out in training: half the batch, once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from synthohive_spark.models.base import ConditionalGenerativeModel

SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory")  # of torch, which raises RuntimeError
USUAL, LEAST = 256, 16  # rows of a batch where a model does not say how many it takes; that it needs at least


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the machine or of its GPU, ran out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(sign in text for sign in SIGNS))


def halved(model_cls: type[ConditionalGenerativeModel], options: Mapping[str, Any], rows: int) -> int:
    """Half the rows of a batch.

    Args:
        model_cls: the model's class.
        options: with which it was tried.
        rows: that it learns from.
    """
    known = inspect.signature(model_cls).parameters.get("batch_size")
    usual = known.default if known is not None and isinstance(known.default, int) else USUAL
    return max(LEAST, min(options.get("batch_size") or usual, rows) // 2)
