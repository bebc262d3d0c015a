"""Which rows lend their parent context to the generator step."""

from __future__ import annotations

import torch
from torch import Tensor


class ContextSampler:
    """Draws the rows of each training batch.

    The generator step draws its rows afresh, independently of the critic's batch; with ``legacy`` it reuses that batch.

    Args:
        rows: number of training rows.
        batch: rows of a batch.
        legacy: whether the generator step reuses the critic's batch.
        rng: source of the draws.
    """

    def __init__(self, rows: int, batch: int, legacy: bool, rng: torch.Generator) -> None:
        self.rows = rows
        self.batch = batch
        self.legacy = legacy
        self._rng = rng

    def for_critic(self) -> Tensor:
        """Returns the (batch,) rows of a critic step."""
        return self._draw()

    def for_generator(self, critic_rows: Tensor) -> Tensor:
        """Returns the (batch,) rows whose context a generator step uses.

        Args:
            critic_rows: the batch of the critic step before it.
        """
        return critic_rows if self.legacy else self._draw()

    def _draw(self) -> Tensor:
        return torch.randint(self.rows, (self.batch,), generator=self._rng, device=self._rng.device)
