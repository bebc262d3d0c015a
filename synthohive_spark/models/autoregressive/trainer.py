"""Training of the autoregressive model: maximum likelihood, stopped by what held-out families say.

Small tables are cut into folds whose networks train side by side; when their mean loss on held-out rows stops falling,
one more network repeats the schedule up to there on all rows.
Heads learn at different speeds: one that says worse of held-out rows than it did before knows its families by heart,
while another one still learns. It does not stop the others, but is held back as far as the held-out rows want.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from synthohive_spark.errors import TrainingError
from synthohive_spark.models.autoregressive.encoded_sample import EncodedSample
from synthohive_spark.models.autoregressive.networks import WIDEST, ColumnHeads, NetworkPlan, Shrinkage
from synthohive_spark.models.autoregressive.options import AutoregressiveOptions
from synthohive_spark.models.common.budget import MIN_STEPS, head_step_seconds, head_steps, safety_stop
from synthohive_spark.models.common.seeds import torch_rng

# The schedule was measured on atom and flights (docs/models.md), order_details and Track.
SHORTEST_ROUND, LONGEST_ROUND = 8, 250  # steps between looks: fewer judge noise, more overshoot the best point
FEWEST_ROUNDS = 5  # looks of a short budget: so many are needed to see a loss turn
SMALL_TABLE, LARGE_TABLE = 1000, 5000  # rows: below, one epoch says little; above, a look may be believed sooner
RATE, LARGE_TABLE_RATE = 2e-3, 5e-3  # of Adam; large tables give smooth gradients, so that steps may be longer
BAD_ROUNDS = 3  # looks without a gain after which the rate is lowered
GAIN = 5e-3  # nats a row that are worth going on for
COOL_DOWN = 0.3  # by which the rate is then multiplied
AFTER_DIVERGENCE = 0.25  # factor on the rate from the last good weights on: CTGAN's two halvings at once
COLDEST = 0.02  # of the first rate: below it nothing moves any more
JUDGED_AT_ONCE = 2000  # held-out rows in one pass: what fits the caches
CONTEXT_WEIGHTS, LOGIT_WEIGHTS = (1.0, 0.4, 0.0), (1.0, 0.6, 0.3, 0.1)  # shrinkages tried on held-out rows, per head

log = structlog.get_logger("synthohive_spark.models")


@dataclass(frozen=True)
class Schedule:
    """How long a training runs.

    Attributes:
        batch: rows of a batch.
        round_steps: steps between two looks at the held-out rows.
        rounds: the most there may be.
        fewest: rounds before which training does not stop.
        patience: rounds without a better loss after which it stops.
        learning_rate: before it is lowered.
    """

    batch: int
    round_steps: int
    rounds: int
    fewest: int
    patience: int
    learning_rate: float

    @classmethod
    def of(cls, options: AutoregressiveOptions, plan: NetworkPlan, rows: int, folds: int) -> Schedule:
        """Returns the schedule of a table of ``rows`` rows whose held-out rows lie in so many folds."""
        batch = min(rows, options.batch_size or usual_batch(rows))
        epoch = math.ceil(rows / batch)
        learning_rate = options.learning_rate or (LARGE_TABLE_RATE if rows > LARGE_TABLE else RATE)
        patience = 20 if rows < SMALL_TABLE else 6 if rows > LARGE_TABLE else 10
        if options.epochs is not None:
            return cls(batch, epoch, options.epochs, options.epochs, options.epochs, learning_rate)
        price = head_step_seconds(batch, len(plan.cardinalities), plan.weights, plan.lookups)
        steps = head_steps(rows, batch, options.max_seconds, price, folds + 1 if folds > 1 else 1)
        round_steps = min(LONGEST_ROUND, max(SHORTEST_ROUND, epoch), max(1, steps // FEWEST_ROUNDS))
        rounds = steps // round_steps
        fewest = math.ceil(MIN_STEPS / round_steps) if rows < SMALL_TABLE else 1
        return cls(batch, round_steps, rounds, min(rounds, fewest), patience, learning_rate)

    def cooling(self, number: int, rounds: int) -> float:
        """Returns the factor on the learning rate in round ``number`` of ``rounds``: 1, then down to almost 0."""
        left = 1.0 - number / rounds
        return max(COLDEST, min(1.0, left / COOL_DOWN))


def usual_batch(rows: int) -> int:
    """Returns the rows of a batch where none are asked for."""
    return 1024 if rows >= 2**16 else max(16, min(256, rows // 16))


@dataclass
class LikelihoodRecord:
    """What a training run says of itself.

    Attributes:
        history: round, step, epoch, training and held-out loss (nats a row) of each look.
        steps: steps of the network that was kept.
        best_round: the round that it was kept at.
        folds: networks that were trained to find it, beside the one kept; 0 for a fixed holdout.
        clock_stop: whether the clock stopped the run.
        shrinkage: of each head; none where there are no held-out rows.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    best_round: int = 0
    folds: int = 0
    clock_stop: bool = False
    shrinkage: list[Shrinkage] = field(default_factory=list)


class _Run:
    """One network in training on some of the rows."""

    def __init__(
        self,
        options: AutoregressiveOptions,
        plan: NetworkPlan,
        sample: EncodedSample,
        rows: Tensor,
        context_dropout: float,
        seed: int,
    ) -> None:
        device = sample.codes.device
        build = torch_rng(torch.device("cpu"), seed, 2)
        self.network = ColumnHeads(plan, sample.barriers, build)
        self.network.start_at(sample.shares)
        self.network.to(device)
        self._options, self._sample, self._rows, self._context_dropout = options, sample, rows, context_dropout
        self._rng = torch_rng(device, seed, 1)
        self._order = rows[:0]
        self.slowed = 1.0  # factor on the learning rate
        self._start_optimiser()

    def _start_optimiser(self) -> None:
        parameters = self.network.parameters()
        self._adam = torch.optim.AdamW(parameters, weight_decay=self._options.weight_decay, fused=True)

    def train(self, steps: int, batch: int, rate: float) -> float:
        """Takes some steps; returns the mean loss in nats a row."""
        good = {name: value.clone() for name, value in self.network.state_dict().items()}
        loss = self._train(steps, batch, rate * self.slowed)
        if math.isfinite(loss) or self.slowed < 1.0:  # once: what diverges again does so for another reason
            return loss
        self.slowed = AFTER_DIVERGENCE
        log.warning("training_diverged", rate=rate, rate_now=rate * self.slowed)
        self.network.load_state_dict(good)
        self._start_optimiser()
        return self._train(steps, batch, rate * self.slowed)

    def _train(self, steps: int, batch: int, rate: float) -> float:
        for group in self._adam.param_groups:
            group["lr"] = rate
        self.network.train()
        total = torch.zeros((), device=self._rows.device)
        for _ in range(steps):
            total += self._step(self._next(min(batch, len(self._rows))))
        return float(total) / steps

    def _next(self, batch: int) -> Tensor:
        if len(self._order) < batch:
            shuffled = torch.randperm(len(self._rows), generator=self._rng, device=self._rows.device)
            self._order = torch.cat([self._order, self._rows[shuffled]])
        index, self._order = self._order[:batch], self._order[batch:]
        return index

    def _step(self, index: Tensor) -> Tensor:
        codes, device = self._sample.codes[index].long(), index.device
        masked, keep = None, None
        if self._context_dropout:
            masked = torch.rand(len(index), 1, generator=self._rng, device=device) < self._context_dropout
        if self._options.dropout:
            kept = torch.rand(len(index), WIDEST, generator=self._rng, device=device) >= self._options.dropout
            keep = kept.float() / (1.0 - self._options.dropout)
        context = self.network.context(self._sample.context.rows(index).dense(), masked)
        loss: Tensor = -self.network.log_probabilities(context, codes, keep).mean(dim=0).sum()
        self._adam.zero_grad()
        torch.autograd.backward(loss)
        self._adam.step()
        return loss.detach()

    @torch.inference_mode()
    def losses_on(self, rows: Tensor) -> Tensor:
        """Returns the (S,) loss of each head in nats a row on other rows."""
        self.network.eval()
        total = torch.zeros(len(self._sample.shares), device=rows.device)
        for index in torch.split(rows, JUDGED_AT_ONCE):
            context = self.network.context(self._sample.context.rows(index).dense())
            total -= self.network.log_probabilities(context, self._sample.codes[index].long()).sum(dim=0)
        return total / len(rows)

    @torch.inference_mode()
    def held_back_on(self, rows: Tensor, place: int, by: Sequence[Shrinkage]) -> Tensor:
        """Returns the (len(by),) losses of one head in nats a row on other rows, held back so far."""
        self.network.eval()
        share, total = self._sample.shares[place].log(), torch.zeros(len(by), device=rows.device)
        for index in torch.split(rows, JUDGED_AT_ONCE):
            codes, context = self._sample.codes[index].long(), self._sample.context.rows(index).dense()
            known = self.network.context(context)
            unknown = self.network.context(context, torch.ones_like(known[:, :1], dtype=torch.bool))
            logits = {
                weight: self.network.logits(place, self.network.seen(torch.lerp(unknown, known, weight), codes), codes)
                for weight in {shrinkage.context for shrinkage in by}
            }
            for i, shrinkage in enumerate(by):
                mixed = torch.lerp(share.expand(len(index), -1), logits[shrinkage.context], shrinkage.logits)
                total[i] += F.cross_entropy(mixed, codes[:, place], reduction="sum")
        return total / len(rows)


class _Judge:
    """What held-out rows say of each head.

    Args:
        held_out: (n,) rows of each run.
        heads: S.
        context: whether there is one.
    """

    def __init__(self, held_out: Sequence[Tensor], heads: int, context: bool) -> None:
        self._held_out, self._least = held_out, torch.full((heads,), math.inf)
        self._past: set[int] = set()  # heads that were better before
        self._choice = [Shrinkage(c, w) for c in (CONTEXT_WEIGHTS if context else (1.0,)) for w in LOGIT_WEIGHTS]
        self.shrinkage = [Shrinkage()] * heads

    def loss(self, runs: Sequence[_Run]) -> float:
        """Returns the loss in nats a row, with heads past their best held back; notes how far each one is."""
        over = list(zip(runs, self._held_out, strict=True))
        plain = torch.stack([run.losses_on(rows).cpu() for run, rows in over]).mean(dim=0)
        self._past.update((plain > self._least).nonzero()[:, 0].tolist())
        self._least, self.shrinkage = torch.minimum(self._least, plain), [Shrinkage()] * len(plain)
        for place in self._past:
            held_back = torch.stack([run.held_back_on(rows, place, self._choice).cpu() for run, rows in over])
            plain[place], best = held_back.mean(dim=0).min(dim=0)
            self.shrinkage[place] = self._choice[int(best)]
        return float(plain.sum())


class AutoregressiveTrainer:
    """Trains the network of one table.

    Args:
        options: of the model.
        plan: sizes of the network.
        sample: training rows.
        held_out: (n,) rows to judge by, one mask for each fold; may be empty.
        context_dropout: share of the rows that are trained without context.
        table: name in the log.
        seed: of all randomness.
    """

    def __init__(
        self,
        options: AutoregressiveOptions,
        plan: NetworkPlan,
        sample: EncodedSample,
        held_out: Sequence[Tensor],
        context_dropout: float,
        table: str | None,
        seed: int,
    ) -> None:
        held_out = [] if options.epochs is not None and len(held_out) > 1 else held_out
        self.options, self.plan, self.sample, self.table, self.seed = options, plan, sample, table, seed
        self.schedule = Schedule.of(options, plan, len(sample.codes), len(held_out))
        self.record = LikelihoodRecord(folds=len(held_out) if len(held_out) > 1 else 0)
        self._dropout = context_dropout if plan.context_width else 0.0
        self._held_out = [mask.nonzero()[:, 0] for mask in held_out]
        self._trained_on = [(~mask).nonzero()[:, 0] for mask in held_out]
        self._log = structlog.get_logger("synthohive_spark.models")
        self._worked = time.thread_time()  # what others do on this machine does not count

    def train(self) -> ColumnHeads:
        """Returns the trained network.

        Raises:
            TrainingError: if the loss becomes non-finite.
        """
        if not self._held_out:
            return self._fixed([1.0] * self.schedule.rounds)
        runs = [self._run(rows, number + 1) for number, rows in enumerate(self._trained_on)]
        best, weights, factor, factors = math.inf, runs[0].network.state_dict(), 1.0, list[float]()
        worth, bad = math.inf, 0
        judge = _Judge(self._held_out, len(self.sample.shares), bool(self.plan.context_width))
        shrinkage = judge.shrinkage
        started = time.monotonic()
        for number in self._bar(self.schedule.rounds):
            factors.append(factor)
            rate = self.schedule.learning_rate * factor * self.schedule.cooling(number, self.schedule.rounds)
            losses = [run.train(self.schedule.round_steps, self.schedule.batch, rate) for run in runs]
            loss = self._report(number, losses, judge.loss(runs), time.monotonic() - started)
            worth, bad = (loss - GAIN, 0) if loss < worth else (worth, bad + 1)
            if loss < best:
                best, self.record.best_round, shrinkage = loss, number + 1, judge.shrinkage
                weights = {name: value.clone() for name, value in runs[0].network.state_dict().items()}
            if bad and bad % BAD_ROUNDS == 0:
                factor /= 2
            if self._out_of_time() or (bad >= self.schedule.patience and number + 1 >= self.schedule.fewest):
                break
        if self.record.folds:
            rounds = max(self.record.best_round, min(len(factors), self.schedule.fewest))
            network = self._fixed(factors[:rounds])
        else:
            self.record.steps = self.record.best_round * self.schedule.round_steps
            network = runs[0].network.eval()
            network.load_state_dict(weights)
        network.shrink(shrinkage, self.sample.shares)
        self.record.shrinkage = shrinkage
        return network

    def _fixed(self, factors: list[float]) -> ColumnHeads:
        """Trains on all rows for as many rounds as there are factors on the learning rate."""
        run = self._run(torch.arange(len(self.sample.codes), device=self.sample.codes.device), 0)
        started, self._worked = time.monotonic(), time.thread_time()  # else a late search would leave one round here
        for number in self._bar(len(factors)):
            rate = self.schedule.learning_rate * factors[number] * self.schedule.cooling(number, len(factors))
            loss = run.train(self.schedule.round_steps, self.schedule.batch, rate)
            if not self.record.folds:
                self._report(number, [loss], None, time.monotonic() - started)
            elif not math.isfinite(loss):
                raise self._diverged()
            self.record.best_round = number + 1
            if self._out_of_time():
                break
        self.record.steps = self.record.best_round * self.schedule.round_steps
        return run.network.eval()

    def _run(self, rows: Tensor, number: int) -> _Run:
        return _Run(self.options, self.plan, self.sample, rows, self._dropout, self.seed + number)

    def _bar(self, rounds: int) -> tqdm[int]:
        # disable=None hides the bar where stderr is no terminal.
        return tqdm(range(rounds), disable=None if self.options.progress else True, desc=self.table)

    def _out_of_time(self) -> bool:
        late = time.thread_time() - self._worked > safety_stop(self.options.max_seconds)
        self.record.clock_stop |= late
        return late

    def _report(self, number: int, losses: list[float], judged: float | None, seconds: float) -> float:
        """Logs a round; returns the loss to judge by."""
        loss = sum(losses) / len(losses)
        held_out = loss if judged is None else judged
        if not math.isfinite(loss + held_out):
            raise self._diverged()
        steps = (number + 1) * self.schedule.round_steps
        entry = {
            "round": number + 1,
            "step": steps,
            "epoch": round(steps * self.schedule.batch / len(self.sample.codes), 2),
            "loss": loss,
            "held_out_loss": held_out,
        }
        self.record.history.append(entry)
        eta = seconds / (number + 1) * (self.schedule.rounds - number - 1)
        self._log.debug("epoch_end", table=self.table, **entry, eta=round(eta, 1))
        return held_out

    def _diverged(self) -> TrainingError:
        return TrainingError(
            f"the loss of table {self.table!r} is non-finite; lower learning_rate (now {self.schedule.learning_rate})"
        )


def likelihood_metrics(record: LikelihoodRecord, names: Sequence[str]) -> dict[str, Any]:
    """Returns a record as JSON values; the shrinkage only of the heads that were held back, by these (S,) names."""
    best = min((entry["held_out_loss"] for entry in record.history), default=None)
    shrunk = {n: asdict(s) for n, s in zip(names, record.shrinkage, strict=False) if s != Shrinkage()}
    return {**asdict(record), "shrinkage": shrunk, "held_out_loss": best}
