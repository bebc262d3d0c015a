"""How columns hang together: with each other and with the parent context."""

from __future__ import annotations

import torch
from torch import Tensor

from synthohive_spark.models.common.layout import Layout

MAX_FEATURES = 512  # columns of a covariance: 1 MB, and some milliseconds a step


class Association:
    """Compares the covariances of generated rows with those of real rows.

    Args:
        layout: of the rows.
        context_width: K.
    """

    def __init__(self, layout: Layout, context_width: int) -> None:
        owners = list(layout.scalar_columns)
        for column, size in zip(layout.block_columns, layout.block_sizes, strict=True):
            owners += [column] * size
        # Wide tables: a fixed stride over the places, so that the matrix stays small.
        stride = max(1, -(-len(owners) // MAX_FEATURES))
        context_stride = max(1, -(-context_width // MAX_FEATURES))
        self._places = slice(None, None, stride)
        self._context_places = slice(None, None, context_stride)
        owner = torch.tensor(owners[::stride])
        context_owner = torch.full((len(range(0, context_width, context_stride)),), -1)
        self._across = owner[:, None] != torch.cat([owner, context_owner])[None, :]  # (W', W' + K')

    def covariance(self, rows: Tensor, context: Tensor) -> Tensor:
        """Returns the (W', W' + K') covariance of (n, W) rows with themselves and their (n, K) context."""
        left = rows[:, self._places]
        left = left - left.mean(dim=0)
        right = context[:, self._context_places]
        right = right - right.mean(dim=0)
        return left.T @ torch.cat([left, right], dim=1) / max(1, len(rows) - 1)

    def gap(self, wanted: Tensor, found: Tensor) -> float:
        """Returns the distance of two covariances across columns, relative to the wanted one (0 is equal).

        Args:
            wanted: (W', W' + K') covariance of real rows.
            found: (W', W' + K') covariance of generated rows.
        """
        across = self._across.to(wanted.device)
        return float(((found - wanted) * across).norm() / ((wanted * across).norm() + 1e-6))

    def moment_loss(self, real: Tensor, fake: Tensor, context: Tensor) -> Tensor:
        """Returns the distance of means and covariances, batch against batch, differentiable in ``fake``.

        Args:
            real: (B, W) rows.
            fake: (B, W) rows.
            context: (B, K) context of both.
        """
        means = (real.mean(dim=0) - fake.mean(dim=0)).square().sum()
        covariances = (self.covariance(real, context) - self.covariance(fake, context)).square().sum()
        return (means + 1e-12).sqrt() + (covariances + 1e-12).sqrt()
