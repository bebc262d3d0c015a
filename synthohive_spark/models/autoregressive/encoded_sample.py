"""The training rows of the autoregressive model: codes, context, and how often each code is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthohive_spark.models.common.layout import Packed

SMOOTHED = 0.5  # rows added to each code (Jeffreys' prior of a share), so that none is impossible


@dataclass(frozen=True)
class EncodedSample:
    """The training rows.

    Attributes:
        codes: (n, S) int16 codes.
        context: (n, ...) packed context.
        shares: (S,) smoothed share of each code of each sub-column.
        barriers: (S,) impossible pieces of second sub-columns.
    """

    codes: Tensor
    context: Packed
    shares: tuple[Tensor, ...]
    barriers: tuple[Tensor | None, ...]

    @classmethod
    def of(
        cls,
        rows: NDArray[np.int16],
        context: Packed,
        cardinalities: Sequence[int],
        barriers: Sequence[Tensor | None],
        device: torch.device,
    ) -> EncodedSample:
        """The (n, S) codes of the rows with their context, on a device."""
        shares = []
        for place, cardinality in enumerate(cardinalities):
            counts = np.bincount(rows[:, place], minlength=cardinality) + SMOOTHED
            shares.append(torch.from_numpy(counts / counts.sum()).float().to(device))
        return cls(torch.from_numpy(rows).to(device), context.to(device), tuple(shares), tuple(barriers))
