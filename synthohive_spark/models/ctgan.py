"""CTGAN: a conditional GAN of one table, given the context of its parent.

After Xu et al. 2019 (Modeling Tabular Data using Conditional GAN), with ranks instead of modes, small packs, a moment
loss, no condition vector, and a calibration afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from typing_extensions import Self

from synthohive_spark.errors import ConfigError, SerializationError
from synthohive_spark.models.base import KeyMetadata
from synthohive_spark.models.calibration import RANK_KNOTS, to_uniform
from synthohive_spark.models.ctgan_conditions import Conditions, draw_conditions
from synthohive_spark.models.ctgan_options import CLASSIC, CTGANOptions
from synthohive_spark.models.ctgan_trainer import CTGANTrainer, TrainSettings, as_metrics
from synthohive_spark.models.encoders import TableSpec, decode_table, encode_table
from synthohive_spark.models.layout import Layout, Packed
from synthohive_spark.models.margins import code_shares, draw_evenly, even_ranks, inverse_cdf
from synthohive_spark.models.networks import FoldedGenerator, Generator, open_gates
from synthohive_spark.models.seeds import fresh_seed, numpy_rng, torch_rng
from synthohive_spark.models.storage import read_model, write_model
from synthohive_spark.models.table_model import (
    CONTEXT_CATEGORIES,
    TableModel,
    check_rows,
    device_of,
    limits_of,
    packed_context,
    require_fitted,
    table_spec,
    torch_threads,
)

NAME = "ctgan"
SAMPLE_BATCH = 1000  # what fits the caches
MOST_MODES = 10
# Of a logit, for the sake of shares. The noise settles most of a row, so that logits are far apart without meaning it.
MOST_SHIFT = 4.0


@dataclass(frozen=True)
class _Fitted:
    """What training leaves behind.

    Attributes:
        columns: specs of the columns.
        context: specs of the context columns.
        generator: None for tables whose columns are all constant.
        rank_knots: (S, R) quantiles of the generated scalars; (0, R) where scalars are no ranks.
        conditions: (D,) chance of each condition; D is 0 without conditional sampling.
        states: (C,) share of each state of each column with more than one; without a generator, C is 0.
    """

    columns: TableSpec
    context: TableSpec
    generator: Generator | None
    rank_knots: Tensor
    conditions: Tensor
    states: Tensor

    @cached_property
    def folded(self) -> FoldedGenerator:
        """The generator, for drawing many rows."""
        context = Layout.of(self.context)
        assert self.generator is not None
        return FoldedGenerator(self.generator, context.scalars, context.width)


class CTGAN(TableModel):
    """Conditional GAN of one table.

    Args:
        metadata: says which columns are keys; these are not modelled.
        batch_size: rows of a batch; smaller for tables with fewer rows. The default is also smaller where
            ``max_seconds`` would buy few steps.
        epochs: passes over the data. None: the number of steps follows the size of the table, within ``max_seconds``.
        embedding_dim: width of the noise.
        generator_dim: widths of the generator's residual blocks.
        discriminator_dim: widths of the critic's layers.
        legacy_context_conditioning: whether the generator step reuses the parent context of the critic's batch instead
            of sampling it afresh.
        max_seconds: what the steps may cost at the fixed prices of ``budget``.
        min_count: rows that must hold a value before it may be used verbatim.
        device: "cpu", "cuda" or "auto".
        threads: of torch, during fit and sample. None leaves them as they are.
        tuning: the other options of ``CTGANOptions``: pac, learning_rate, normalisation, calibrate and more.

    Raises:
        ConfigError: if an option is unknown or out of range.
    """

    def __init__(
        self,
        metadata: KeyMetadata | None = None,
        batch_size: int = 500,
        epochs: int | None = 300,
        embedding_dim: int = 128,
        generator_dim: Sequence[int] = (256, 256),
        discriminator_dim: Sequence[int] = (256, 256),
        legacy_context_conditioning: bool = False,
        max_seconds: float | None = None,
        min_count: int = 3,
        device: str = "cpu",
        threads: int | None = None,
        **tuning: Any,
    ) -> None:
        sizes = {
            "batch_size": batch_size,
            "epochs": epochs,
            "embedding_dim": embedding_dim,
            "generator_dim": generator_dim,
            "discriminator_dim": discriminator_dim,
            "legacy_context_conditioning": legacy_context_conditioning,
            "max_seconds": max_seconds,
            "min_count": min_count,
            "device": device,
            "threads": threads,
        }
        super().__init__(metadata, **sizes, **tuning)
        self.settings = CTGANOptions.of(self.options)
        self._fitted: _Fitted | None = None

    @classmethod
    def classic(cls, metadata: KeyMetadata | None = None, **options: Any) -> Self:
        """Returns the model of Xu et al. 2019, untrained: modes, conditions, packs of ten, dropout, no corrections.

        Sizes, rates and losses are those of the reference (the package ctgan). What differs: rows are sampled with
        settled BatchNorm statistics and with conditions drawn by their real shares, nulls are states, numbers of few
        distinct values are discrete, and the penalty holds for the rows, not for their conditions.

        Args:
            metadata: says which columns are keys.
            options: replace single ones.
        """
        return cls(metadata, **{**CLASSIC, **options})

    @property
    def legacy_context_conditioning(self) -> bool:
        """Whether the generator step reuses the context of the critic's batch."""
        return self.settings.legacy_context_conditioning

    def fit(
        self,
        data: pd.DataFrame,
        context: pd.DataFrame | None = None,
        table_name: str | None = None,
        seed: int | None = None,
    ) -> Self:
        """Learns the rows of a table; the same data, options and seed give the same model.

        Args:
            data: (n, k) rows; key columns that the metadata name are left out.
            context: (n, c) columns of the parent of each row.
            table_name: name of the table in the metadata and in the log.
            seed: of all randomness; None takes a new one.

        Raises:
            TrainingError: if there are no rows, the lengths differ, a type is not covered, or training diverges.
        """
        start = time.monotonic()
        seed = fresh_seed() if seed is None else seed
        data = self._without_keys(data, table_name)
        context = pd.DataFrame(index=data.index) if context is None else context
        check_rows(data, context, table_name)
        limits = limits_of(data, self.settings.min_count, self.settings.max_categories)
        columns = table_spec(data, replace(limits, modes=MOST_MODES if self.settings.normalisation == "mode" else 0))
        context_columns = table_spec(context, limits_of(context, self.settings.min_count, CONTEXT_CATEGORIES))
        layout, context_layout = Layout.of(columns), Layout.of(context_columns)
        rows = layout.pack(encode_table(columns, data, numpy_rng(seed, 1)), len(data))
        conditions = context_layout.pack(encode_table(context_columns, context, None), len(data))
        nothing = torch.zeros(0)
        fitted = _Fitted(columns, context_columns, None, torch.zeros(0, RANK_KNOTS), nothing, nothing)
        metrics: dict[str, Any] = {"steps": 0, "clock_stop": False}
        encoded_at = time.monotonic()
        if layout.width:
            with torch_threads(self.settings.threads):
                plan = TrainSettings.plan(self.settings, layout, context_layout, len(data), table_name, seed)
                self._log_start(table_name, rows, layout, plan.steps)
                trainer = CTGANTrainer(plan, layout, rows, conditions, device_of(self.settings.device))
                generator, knots = trainer.train()
                states = code_shares(rows.codes, layout.block_sizes)
                fitted = replace(
                    fitted, generator=generator, rank_knots=knots, conditions=trainer.shares, states=states
                )
            metrics = as_metrics(trainer.record, time.monotonic() - start)
        else:
            self._log_start(table_name, rows, layout, 0)
        self._fitted = fitted
        self._metrics = {
            **metrics,
            "rows": len(data),
            "width": layout.width,
            "seconds": round(time.monotonic() - start, 3),
            "encode_seconds": round(encoded_at - start, 3),
        }
        summary = {key: value for key, value in self._metrics.items() if key != "history"}
        self._log.info("training_complete", table=table_name, **summary)
        return self

    def sample(self, num_rows: int, context: pd.DataFrame | None = None, seed: int | None = None) -> pd.DataFrame:
        """Returns new rows; they depend on the model, the context and the seed alone.

        Args:
            num_rows: rows wanted.
            context: (num_rows, c) with at least the context columns of the fit; None for a model without context.
            seed: of the noise; None takes a new one.

        Raises:
            GenerationError: if the model is not trained, or the context does not fit it.
        """
        return self._sample(num_rows, context, seed, even=False)

    def sample_table(self, num_rows: int, context: pd.DataFrame | None = None, seed: int | None = None) -> pd.DataFrame:
        """Returns rows that stand for the table: as ``sample`` does, with the shares of each column kept.

        All rows are held at once, so this is for some ten thousand rows. A model of other normalisation than
        "rank", or whose shares are not to be corrected, draws them as ``sample`` does.

        Arguments and errors are those of ``sample``.
        """
        even = self.settings.calibrate and self.settings.normalisation == "rank"
        return self._sample(num_rows, context, seed, even)

    def _sample(self, num_rows: int, context: pd.DataFrame | None, seed: int | None, even: bool) -> pd.DataFrame:
        fitted = require_fitted(self._fitted)
        seed = fresh_seed() if seed is None else seed
        conditions = packed_context(fitted.context, context, num_rows)
        layout = Layout.of(fitted.columns)
        if fitted.generator is None or num_rows == 0:
            empty = torch.zeros(num_rows, 0, dtype=torch.int32)
            filler = layout if fitted.generator is None else _constant_layout(layout)
            packed = Packed(empty, torch.zeros(num_rows, 0), ())
            return decode_table(fitted.columns, filler.unpack(packed), num_rows)
        parts: list[Packed] = []
        raws: list[Tensor] = []
        with torch_threads(self.settings.threads), torch.no_grad():
            for batch, first in enumerate(range(0, num_rows, SAMPLE_BATCH)):
                index = torch.arange(first, min(first + SAMPLE_BATCH, num_rows))
                rng = torch_rng(fitted.folded.bias.device, seed, 2, batch)
                raws.append(_generate(fitted, conditions.rows(index), rng))
                if not even:
                    parts.append(self._draw(fitted, layout, raws.pop(), rng))
            if even:
                raw = torch.cat(raws)
                parts.append(_draw_evenly(fitted, layout, raw, torch_rng(raw.device, seed, 5)))
        codes, scalars = torch.cat([part.codes for part in parts]), torch.cat([part.scalars for part in parts])
        drawn = Packed(codes, scalars, layout.block_sizes)
        return decode_table(fitted.columns, layout.unpack(drawn), num_rows)

    def save(self, path: str | Path) -> None:
        """Writes the trained model into the folder ``path``; equal models give equal bytes.

        Raises:
            SerializationError: if the model is not trained or the folder cannot be written.
        """
        if self._fitted is None:
            raise SerializationError("the model is not trained, so there is nothing to save; call fit first")
        header = {
            "options": self.settings.to_json(),
            "columns": self._fitted.columns.to_json(),
            "context": self._fitted.context.to_json(),
            "metrics": self._timeless(),
        }
        fitted = self._fitted
        weights = {"rank_knots": fitted.rank_knots, "conditions": fitted.conditions, "states": fitted.states}
        if fitted.generator is not None:
            state = fitted.generator.state_dict()
            weights |= {f"generator.{name}": tensor for name, tensor in state.items()}
        write_model(path, NAME, header, weights)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Returns the model that ``save`` wrote, on the CPU.

        Raises:
            SerializationError: if a file is missing, corrupt, or of another model.
        """
        header, weights = read_model(path, NAME)
        try:
            model = cls(**header["options"])
            columns, context = TableSpec.from_json(header["columns"]), TableSpec.from_json(header["context"])
            model._fitted = model._restore(columns, context, weights)
            model._metrics = header["metrics"]
        except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
            raise SerializationError(
                f"the model in {path} is corrupt: {error}; train it again or restore the folder from a copy"
            ) from error
        return model

    def _restore(self, columns: TableSpec, context: TableSpec, weights: dict[str, Tensor]) -> _Fitted:
        layout, knots = Layout.of(columns), weights.pop("rank_knots")
        conditions, states = weights.pop("conditions", torch.zeros(0)), weights.pop("states")
        if not layout.width:
            return _Fitted(columns, context, None, knots, conditions, states)
        ranked = layout.scalars if self.settings.normalisation == "rank" else 0
        wanted = Conditions(layout, torch.device("cpu")).width if self.settings.conditional_sampling else 0
        if knots.shape != (ranked, RANK_KNOTS) or (len(conditions), len(states)) != (wanted, layout.states):
            shapes = {"rank_knots": knots, "conditions": conditions, "states": states}
            raise ValueError(", ".join(f"{name} has shape {tuple(tensor.shape)}" for name, tensor in shapes.items()))
        noise, hidden = self.settings.embedding_dim, self.settings.generator_dim
        generator = Generator(noise, Layout.of(context).width, hidden, layout.width, torch.Generator(), wanted)
        generator.load_state_dict({name.removeprefix("generator."): tensor for name, tensor in weights.items()})
        generator.eval()
        return _Fitted(columns, context, generator, knots, conditions, states)

    def _draw(self, fitted: _Fitted, layout: Layout, raw: Tensor, rng: torch.Generator) -> Packed:
        """Draws the rows of one batch from the (n, W) output of the generator."""
        uniform = torch.rand(len(raw), len(layout.block_sizes), generator=rng, device=raw.device)
        codes = torch.zeros(len(raw), len(layout.block_sizes), dtype=torch.int32, device=raw.device)
        for block, logits in enumerate(torch.split(raw[:, layout.scalars :], list(layout.block_sizes), dim=1)):
            codes[:, block] = inverse_cdf(logits, uniform[:, block]).to(torch.int32)
        scalars = raw[:, : layout.scalars].contiguous()
        ranked = self.settings.normalisation == "rank"
        ranks = to_uniform(scalars, fitted.rank_knots.to(raw.device)) if ranked else torch.tanh(scalars)
        return Packed(codes.cpu(), ranks.cpu(), layout.block_sizes)

    def _log_start(self, table_name: str | None, rows: Packed, layout: Layout, steps: int) -> None:
        self._log.info(
            "training_start",
            table=table_name,
            rows=len(rows),
            columns=len(layout.cardinalities),
            width=layout.width,
            steps=steps,
        )


def _generate(fitted: _Fitted, context: Packed, rng: torch.Generator) -> Tensor:
    """Returns the (n, W) output of the generator for n rows of context."""
    generator = fitted.folded
    device = generator.bias.device
    places = draw_conditions(fitted.conditions.to(device), len(context), rng)
    noise = torch.randn(len(context), generator.noise, generator=rng, device=device)
    return generator(noise, context.to(device), places)


def _draw_evenly(fitted: _Fitted, layout: Layout, raw: Tensor, rng: torch.Generator) -> Packed:
    """Draws rows that stand for the table from the (n, W) output of the generator; scalars get even ranks."""
    logits = torch.split(raw[:, layout.scalars :], list(layout.block_sizes), dim=1)
    shares = torch.split(fitted.states.to(raw.device), list(layout.block_sizes))
    drawn = [
        draw_evenly(rows, wanted, rng, MOST_SHIFT).to(torch.int32) for rows, wanted in zip(logits, shares, strict=True)
    ]
    codes = torch.stack(drawn, dim=1) if drawn else torch.zeros(len(raw), 0, dtype=torch.int32)
    states = Packed(codes, raw.new_zeros(len(raw), 0), layout.block_sizes).dense()
    ranks = even_ranks(raw[:, : layout.scalars], open_gates(states, layout), rng)
    return Packed(codes.cpu(), ranks.cpu(), layout.block_sizes)


def _constant_layout(layout: Layout) -> Layout:
    """Returns a layout of the same columns without places, for frames of no rows."""
    return Layout(layout.cardinalities, (), (), (), ())
