"""Fresh context in the generator step, and the legacy flag that reuses the critic's batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from synthohive_spark.models.ctgan.context_sampler import ContextSampler
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.models.ctgan.trainer import CTGANTrainer

from .frames import planted


def sampler(legacy: bool) -> ContextSampler:
    return ContextSampler(rows=1000, batch=200, legacy=legacy, rng=torch.Generator().manual_seed(0))


def test_the_generator_draws_rows_of_its_own() -> None:
    draw = sampler(legacy=False)
    shares = []
    for _ in range(20):
        critic_rows = draw.for_critic()
        generator_rows = draw.for_generator(critic_rows)
        assert generator_rows.shape == critic_rows.shape
        shares.append(float((critic_rows == generator_rows).float().mean()))
    # Independent draws from 1,000 rows agree in one place of 1,000.
    assert sum(shares) / len(shares) < 0.01


def test_legacy_reuses_the_batch_itself() -> None:
    draw = sampler(legacy=True)
    critic_rows = draw.for_critic()
    assert draw.for_generator(critic_rows) is critic_rows


@pytest.mark.parametrize("legacy", [False, True])
def test_the_trainer_gives_each_step_the_rows_that_the_flag_says(monkeypatch: pytest.MonkeyPatch, legacy: bool) -> None:
    """Watches the training itself: fails if the default reused the critic's batch."""
    seen: dict[str, list[Tensor]] = {"critic": [], "generator": []}
    for name, step in (("critic", CTGANTrainer._critic_step), ("generator", CTGANTrainer._generator_step)):

        def spy(self: Any, index: Tensor, name: str = name, step: Any = step) -> Any:
            seen[name].append(index.clone())
            return step(self, index)

        monkeypatch.setattr(CTGANTrainer, f"_{name}_step", spy)
    data, context = planted(600)
    options = {"legacy_context_conditioning": True} if legacy else {}
    CTGAN(epochs=4, batch_size=100, generator_dim=(16,), discriminator_dim=(16,), **options).fit(data, context, seed=1)
    assert len(seen["critic"]) == len(seen["generator"]) == 24
    equal = [torch.equal(a, b) for a, b in zip(seen["critic"], seen["generator"], strict=True)]
    assert all(equal) if legacy else not any(equal)
