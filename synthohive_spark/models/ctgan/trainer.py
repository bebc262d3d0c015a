"""Training of the conditional GAN: WGAN-GP with a moment loss, kept at its best association.

Wasserstein loss with gradient penalty (Gulrajani et al. 2017) and, unless the options ask for the last weights, an
average of the generator's weights. The parent context, and a condition if there is one, reach both networks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import structlog
import torch
from torch import Tensor
from tqdm import tqdm

from synthohive_spark.errors import TrainingError
from synthohive_spark.models.common.association import Association
from synthohive_spark.models.common.budget import (
    affordable_batch,
    planned_steps,
    safety_stop,
    step_seconds,
    table_batch,
)
from synthohive_spark.models.common.calibration import RANK_KNOTS, logit_bias, rank_knots
from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.common.seeds import torch_rng
from synthohive_spark.models.ctgan.conditions import Conditions, ConditionSampler, draw_conditions
from synthohive_spark.models.ctgan.context_sampler import ContextSampler
from synthohive_spark.models.ctgan.losses import critic_loss, generator_loss
from synthohive_spark.models.ctgan.networks import Critic, Generator, open_gates, soft_rows
from synthohive_spark.models.ctgan.options import CTGANOptions

TEMPERATURE = 0.2  # of the Gumbel softmax, as in the paper
SHARP = 1e-3  # the same for rows that are judged: nearly one state
BETAS = (0.5, 0.9)  # of Adam, as in WGAN-GP and the paper
AVERAGE = 0.99  # weight of the averaged generator's past: some hundred steps
LOOKS = 15  # at the association gap in a run; each costs about one step in a hundred
WARM_UP = 0.4  # share of the steps before a look may be the best: earlier ones are good by chance
CHECK_EVERY = 10  # steps between questions whether losses are finite: reading them waits for the device
MAX_RESTARTS = 3  # of a run whose losses are not; each halves the learning rate
HOLDOUT_SHARE = 0.1  # of the rows, put aside to judge by
HOLDOUT_ROWS = 1000  # of them at most: a covariance of more rows is no truer for what it decides
HOLDOUT_FROM = 200  # rows from which on a tenth of them says more than all training rows do
JUDGED_ROWS = 2000  # generated rows of a look: their sampling error is below that of the held-out rows
CALIBRATION_ROWS = 5000  # generated rows by which shares and ranks are corrected
SMALLEST_BATCH = 32  # rows: BatchNorm needs some to settle


@dataclass(frozen=True)
class CTGANSettings:
    """What a training run is told: the options, and what follows from them and the table.

    Attributes:
        options: of the model.
        table: name in the log.
        steps: batches to train on.
        batch: rows of a batch, a multiple of ``pac``.
        pac: rows that the critic sees together.
        seed: of all randomness.
    """

    options: CTGANOptions
    table: str | None
    steps: int
    batch: int
    pac: int
    seed: int

    @classmethod
    def plan(
        cls, options: CTGANOptions, layout: Layout, context: Layout, rows: int, table: str | None, seed: int
    ) -> CTGANSettings:
        """Returns the settings of a table of ``rows`` rows."""
        conditions = Conditions(layout, torch.device("cpu")).width if options.conditional_sampling else 0
        pac = options.pac or (1 if context.width else 2)
        generator_inputs, layers = options.embedding_dim + context.width + conditions, 0
        for size in options.generator_dim:
            layers += generator_inputs * size
            generator_inputs += size
        generator = layers + generator_inputs * layout.width
        critic_sizes = [pac * (layout.width + context.width + conditions), *options.discriminator_dim, 1]
        critic = sum(a * b for a, b in pairwise(critic_sizes)) // pac
        batch = min(options.batch_size, max(SMALLEST_BATCH, rows))
        if options.epochs is None and options.batch_size == CTGANOptions.batch_size:
            batch = table_batch(rows, layout.width, batch)
            batch = affordable_batch(rows, batch, options.max_seconds, generator, critic)
        batch = max(2, batch // pac) * pac
        price = step_seconds(batch, generator, critic)
        steps = planned_steps(rows, batch, options.epochs, options.max_seconds, price)
        return cls(options, table, steps, batch, pac, seed)


@dataclass
class CTGANRecord:
    """What a training run says of itself.

    Attributes:
        history: step, epoch, losses and association gap of each look.
        best_step: the step whose weights were kept.
        steps: steps taken.
        restarts: how often a divergence was undone.
        clock_stop: whether the clock stopped the run before its last step.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_step: int = 0
    steps: int = 0
    restarts: int = 0
    clock_stop: bool = False


class CTGANTrainer:
    """Trains one generator.

    Args:
        settings: sizes, rates and limits.
        layout: places of the columns.
        rows: (n, ...) packed training rows.
        context: (n, ...) packed context of each row.
        device: where to train.
    """

    def __init__(
        self, settings: CTGANSettings, layout: Layout, rows: Packed, context: Packed, device: torch.device
    ) -> None:
        self.settings, self.options, self.layout, self.device = settings, settings.options, layout, device
        self.all_rows, self.all_context = rows.to(device), context.to(device)
        self.record = CTGANRecord()
        self._best = self.options.keep == "best"
        self._rng = torch_rng(device, settings.seed, 1)
        self._split()
        self._sample_by()
        width, context_width, places = layout.width, self.context.width, len(self.shares)
        build = torch_rng(torch.device("cpu"), settings.seed, 2)
        noise, hidden = self.options.embedding_dim, self.options.generator_dim
        self.generator = Generator(noise, context_width, hidden, width, build, places).to(device)
        self.average = deepcopy(self.generator)
        hidden, dropout = self.options.discriminator_dim, self.options.dropout
        self.critic = Critic(width, context_width, hidden, settings.pac, build, places, dropout).to(device)
        self.association = Association(layout, context_width)
        self._start_optimisers(self.options.learning_rate)
        self._snapshot = self._state()
        self._log = structlog.get_logger("synthohive_spark.models")

    def train(self) -> tuple[Generator, Tensor]:
        """Runs all steps; returns the generator, ready to sample, and the (S, R) rank knots of its scalars (or none).

        Raises:
            TrainingError: if the losses stay non-finite.
        """
        best_gap, best = float("inf"), self._snapshot[2]
        start, safety_seconds = time.monotonic(), safety_stop(self.options.max_seconds)
        worked = time.thread_time()  # what others do on this machine does not count
        looks = {round((look + 1) * self.settings.steps / LOOKS) for look in range(LOOKS)}
        on_critic = on_generator = torch.zeros(())
        for step in tqdm(range(1, self.settings.steps + 1), disable=self._hide_bar(), desc=self.settings.table):
            critic_rows = self.sampler.for_critic()
            on_critic = self._critic_step(critic_rows)
            on_generator = self._generator_step(self.sampler.for_generator(critic_rows))
            if self._best:
                self._update_average(step)
            self.record.steps = step
            stop = step % CHECK_EVERY == 0 and time.thread_time() - worked > safety_seconds
            look = step in looks or stop
            if (look or step % CHECK_EVERY == 0) and not bool(torch.isfinite(on_critic + on_generator)):
                self._restart()
            elif look:
                if not self._best:
                    self.average.load_state_dict(self.generator.state_dict())
                gap = self._judge()
                self._snapshot = self._state()
                if self._best and step >= WARM_UP * self.settings.steps and gap < best_gap:
                    best_gap, best, self.record.best_step = gap, self._snapshot[2], step
                self._report(step, float(on_critic), float(on_generator), gap, time.monotonic() - start)
            if stop:
                self.record.clock_stop = step < self.settings.steps
                break
        return self._finish(best if self.record.best_step else self._snapshot[2])

    def _split(self) -> None:
        """Puts some rows aside to judge by; small tables are judged by the rows that they train on."""
        count = len(self.all_rows)
        order = torch.randperm(count, generator=self._rng, device=self.device)
        held = min(HOLDOUT_ROWS, int(count * HOLDOUT_SHARE)) if count >= HOLDOUT_FROM else 0
        self.rows, self.context = self.all_rows.rows(order[held:]), self.all_context.rows(order[held:])
        judged = order[:held] if held else order[:HOLDOUT_ROWS]
        self._judged_context = self.all_context.rows(judged).dense()
        self._judged_rows = self.all_rows.rows(judged).dense()

    def _sample_by(self) -> None:
        """Decides how batches are drawn: rows alike, or by conditions where there are any."""
        batch, legacy = self.settings.batch, self.options.legacy_context_conditioning
        rng = torch_rng(self.device, self.settings.seed, 3)
        self.conditions = Conditions(self.layout, self.device)
        self.shares = torch.zeros(0, device=self.device)
        self.sampler = ContextSampler(len(self.rows), batch, legacy, rng)
        if self.options.conditional_sampling and self.conditions.width:
            self.shares = self.conditions.shares(self.all_rows)
            self.sampler = ConditionSampler(self.rows, self.conditions, batch, legacy, rng)

    def _drawn(self, entries: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns the (B,) rows and the (B,) conditions, if any, of what the sampler drew."""
        if isinstance(self.sampler, ConditionSampler):
            return self.sampler.rows_of(entries), self.sampler.places_of(entries)
        return entries, None

    def _start_optimisers(self, rate: float) -> None:
        self.rate = rate
        settings: dict[str, Any] = {"lr": rate, "betas": BETAS, "weight_decay": self.options.decay, "fused": True}
        self._generator_adam = torch.optim.Adam(self.generator.parameters(), **settings)
        self._critic_adam = torch.optim.Adam(self.critic.parameters(), **settings)

    def _noise(self, rows: int) -> Tensor:
        return torch.randn(rows, self.options.embedding_dim, generator=self._rng, device=self.device)

    def _critic_step(self, entries: Tensor) -> Tensor:
        index, places = self._drawn(entries)
        real, context = self.rows.rows(index).dense(), self.context.rows(index).dense()  # (B, W), (B, K)
        with torch.no_grad():
            raw = self.generator(self._noise(len(real)), context, places)
            fake = soft_rows(raw, self.layout, TEMPERATURE, self._rng)
        loss = critic_loss(self.critic, (real, fake), context, places, self.options.penalty_weight, self._rng)
        self._critic_adam.zero_grad()
        torch.autograd.backward(loss)
        self._critic_adam.step()
        return loss.detach()

    def _generator_step(self, entries: Tensor) -> Tensor:
        """One step on rows whose context was drawn afresh, unless the options ask for that of the critic's batch."""
        index, places = self._drawn(entries)
        context = self.context.rows(index).dense()
        raw = self.generator(self._noise(len(index)), context, places)
        fake = soft_rows(raw, self.layout, TEMPERATURE, self._rng)
        with frozen(self.critic):
            loss = generator_loss(self.critic, fake, context, places, self._rng)
            if places is not None:
                loss = loss + self.conditions.loss(raw, places)
            if self.options.moment_weight:
                real = self.rows.rows(index).dense()
                loss = loss + self.options.moment_weight * self.association.moment_loss(real, fake, context)
            self._generator_adam.zero_grad()
            torch.autograd.backward(loss)
        self._generator_adam.step()
        return loss.detach()

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        keep = min(AVERAGE, (1 + step) / (10 + step))
        for mean, current in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(current, 1.0 - keep)

    @torch.no_grad()
    def _judge(self) -> float:
        """Returns the association gap of the averaged generator on the rows put aside."""
        rng = torch_rng(self.device, self.settings.seed, 4)  # the same noise at each look
        repeats = max(1, JUDGED_ROWS // len(self._judged_context))
        context = self._judged_context.repeat(repeats, 1)
        noise = torch.randn(len(context), self.options.embedding_dim, generator=rng, device=self.device)
        places = draw_conditions(self.shares, len(context), rng)
        self.average.settle_norms(noise, context, places)
        fake = soft_rows(self.average(noise, context, places), self.layout, SHARP, rng)
        wanted = self.association.covariance(self._judged_rows, self._judged_context)
        return self.association.gap(wanted, self.association.covariance(fake, context))

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        networks = (self.generator, self.critic, self.average)
        first, second, third = ({k: v.clone() for k, v in network.state_dict().items()} for network in networks)
        return first, second, third

    def _restart(self) -> None:
        """Goes back to the last finite weights with half the learning rate."""
        self.record.restarts += 1
        if self.record.restarts > MAX_RESTARTS:
            raise TrainingError(
                f"the losses of table {self.settings.table!r} stay non-finite after {MAX_RESTARTS} restarts; "
                f"lower learning_rate (now {self.options.learning_rate})"
            )
        for network, state in zip((self.generator, self.critic, self.average), self._snapshot, strict=True):
            network.load_state_dict(state)
        self._log.warning("training_diverged", table=self.settings.table, rate=self.rate, rate_now=self.rate / 2)
        self._start_optimisers(self.rate / 2)

    def _report(self, step: int, critic: float, generator: float, gap: float, seconds: float) -> None:
        epoch = step * self.settings.batch / len(self.rows)
        entry = {
            "step": step,
            "epoch": round(epoch, 2),
            "critic_loss": critic,
            "generator_loss": generator,
            "association_gap": gap,
        }
        self.record.history.append(entry)
        eta = seconds / step * (self.settings.steps - step)
        self._log.debug("epoch_end", table=self.settings.table, **entry, eta=round(eta, 1))

    @torch.no_grad()
    def _finish(self, weights: dict[str, Tensor]) -> tuple[Generator, Tensor]:
        """Settles the norms of the kept weights on training contexts and calibrates them."""
        generator = self.average
        generator.load_state_dict(weights)
        index = torch.randint(len(self.all_rows), (CALIBRATION_ROWS,), generator=self._rng, device=self.device)
        context = self.all_context.rows(index).dense()
        places = draw_conditions(self.shares, CALIBRATION_ROWS, self._rng)
        generator.settle_norms(self._noise(CALIBRATION_ROWS), context, places)
        raw = generator(self._noise(CALIBRATION_ROWS), context, places)
        if self.options.calibrate:
            bias = logit_bias(raw, self.all_rows, self.layout)
            generator.output.bias.add_(bias)
            raw = raw + bias
        if self.options.normalisation == "mode":
            return generator, torch.zeros(0, RANK_KNOTS)
        states = soft_rows(raw, self.layout, SHARP, self._rng)[:, self.layout.scalars :]
        gates = open_gates(states, self.layout).round()
        return generator, rank_knots(raw[:, : self.layout.scalars], gates)

    def _hide_bar(self) -> bool | None:
        """Returns what tqdm calls ``disable``: None hides the bar where stderr is no terminal."""
        return None if self.options.progress else True


@contextmanager
def frozen(network: torch.nn.Module) -> Iterator[None]:
    """Keeps gradients from the weights of a network, not from its input."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def ctgan_metrics(record: CTGANRecord, seconds: float) -> dict[str, Any]:
    """Returns a record as JSON values."""
    last = record.history[-1] if record.history else {}
    return {
        "steps": record.steps,
        "best_step": record.best_step,
        "restarts": record.restarts,
        "clock_stop": record.clock_stop,
        "seconds": seconds,
        "critic_loss": last.get("critic_loss"),
        "generator_loss": last.get("generator_loss"),
        "association_gap": min((entry["association_gap"] for entry in record.history), default=None),
        "history": record.history,
    }
