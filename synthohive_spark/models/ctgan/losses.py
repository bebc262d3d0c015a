"""The two losses of WGAN-GP (Gulrajani et al. 2017), given the context of each row and a condition if there is one."""

from __future__ import annotations

import torch
from torch import Tensor

from synthohive_spark.models.ctgan.networks import Critic


def critic_loss(
    critic: Critic,
    rows: tuple[Tensor, Tensor],
    context: Tensor,
    places: Tensor | None,
    penalty_weight: float,
    rng: torch.Generator,
) -> Tensor:
    """How badly the critic tells generated rows from real ones, with the penalty on its gradient.

    Args:
        critic: the critic (the paper's discriminator).
        rows: (B, W) real rows and (B, W) generated ones, of the same contexts.
        context: (B, K) of the rows.
        places: (B,) condition of each row; None without conditions.
        penalty_weight: of the squared distance of the gradient's norm from 1.
        rng: mixes rows, and drops units.
    """
    on_real, on_fake, penalty = critic.compare(*rows, context, places, rng)
    loss: Tensor = on_fake - on_real + penalty_weight * penalty
    return loss


def generator_loss(
    critic: Critic, fake: Tensor, context: Tensor, places: Tensor | None, rng: torch.Generator
) -> Tensor:
    """How real the critic takes (B, W) generated rows for; small where it is deceived."""
    loss: Tensor = -critic(fake, context, places, rng).mean()
    return loss
