"""CTGAN: a conditional GAN of one table, given the context of its parent.

After Xu et al. 2019 (Modeling Tabular Data using Conditional GAN), with ranks instead of modes, small packs, a moment
loss, no condition vector, and a calibration afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from typing_extensions import Self

from synthohive_spark.errors import ConfigError, SerializationError
from synthohive_spark.models.base import KeyMetadata
from synthohive_spark.models.common.calibrated_sampling import code_shares
from synthohive_spark.models.common.calibration import RANK_KNOTS
from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.common.seeds import fresh_seed, numpy_rng
from synthohive_spark.models.common.storage import check_header, read_model, write_model
from synthohive_spark.models.common.table_model import (
    CONTEXT_CATEGORIES,
    People,
    TableModel,
    device_of,
    limits_of,
    packed_context,
    require_fitted,
    table_spec,
    torch_threads,
)
from synthohive_spark.models.ctgan.fitted import FittedCTGAN
from synthohive_spark.models.ctgan.options import CLASSIC, CTGANOptions
from synthohive_spark.models.ctgan.sampling import draw_rows, nothing
from synthohive_spark.models.ctgan.trainer import CTGANSettings, CTGANTrainer, ctgan_metrics
from synthohive_spark.models.encoders import decode_table, encode_table
from synthohive_spark.untrusted import MALFORMED

NAME = "ctgan"
FIELDS = {"options", "metrics", "columns", "context"}  # of the header of a saved model
MOST_MODES = 10  # Gaussians of a number with mode-specific normalisation, as in the paper


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
        self._fitted: FittedCTGAN | None = None

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
        context: pd.DataFrame | Sequence[str] | None = None,
        table_name: str | None = None,
        seed: int | None = None,
        discrete_columns: Sequence[str] | None = None,
        people: People | None = None,
    ) -> Self:
        """Learns the rows of a table; the same data, options and seed give the same model.

        Args:
            data: (n, k) rows; key columns that the metadata name are left out.
            context: (n, c) columns of the parent of each row.
            table_name: name of the table in the metadata and in the log.
            seed: of all randomness; None takes a new one.
            discrete_columns: columns of numbers to take as categories; texts are so anyway.
            people: {column: (n,) code of whom each of its values is about}; without, each is about another person.

        Raises:
            TrainingError: if there are no rows, the lengths differ, a type is not covered, or training diverges.
        """
        start = time.monotonic()
        data, context, seed = self._prepared(data, context, table_name, seed, discrete_columns)
        limits = limits_of(data, self.settings.min_count, self.settings.max_categories)
        limits = replace(limits, modes=MOST_MODES if self.settings.normalisation == "mode" else 0)
        columns = table_spec(data, limits, people)
        context_columns = table_spec(context, limits_of(context, self.settings.min_count, CONTEXT_CATEGORIES), people)
        layout, context_layout = Layout.of(columns), Layout.of(context_columns)
        rows = layout.pack(encode_table(columns, data, numpy_rng(seed, 1)), len(data))
        conditions = context_layout.pack(encode_table(context_columns, context, None), len(data))
        none = torch.zeros(0)
        fitted = FittedCTGAN(columns, context_columns, None, torch.zeros(0, RANK_KNOTS), none, none)
        metrics: dict[str, Any] = {"steps": 0, "clock_stop": False}
        encoded_at = time.monotonic()
        if layout.width:
            with torch_threads(self.settings.threads):
                plan = CTGANSettings.plan(self.settings, layout, context_layout, len(data), table_name, seed)
                self._log_start(table_name, rows, layout, plan.steps)
                trainer = CTGANTrainer(plan, layout, rows, conditions, device_of(self.settings.device))
                generator, knots = trainer.train()
                states = code_shares(rows.codes, layout.block_sizes)
                fitted = replace(
                    fitted, generator=generator, rank_knots=knots, conditions=trainer.shares, states=states
                )
            metrics = ctgan_metrics(trainer.record, time.monotonic() - start)
        else:
            self._log_start(table_name, rows, layout, 0)
        self._fitted = fitted
        self._metrics = {
            **metrics,
            **self._discrete,
            "rows": len(data),
            "width": layout.width,
            "seconds": round(time.monotonic() - start, 3),
            "encode_seconds": round(encoded_at - start, 3),
        }
        self._log.debug("training_complete", table=table_name, **self._summary())
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
            layout, drawn = nothing(layout, num_rows, fitted.generator is None)
        else:
            with torch_threads(self.settings.threads), torch.no_grad():
                drawn = draw_rows(fitted, conditions, seed, self.settings.normalisation == "rank", even)
        return self._as_given(decode_table(fitted.columns, layout.unpack(drawn), num_rows, seed))

    def save(self, path: str | Path) -> None:
        """Writes the trained model into the folder ``path``; equal models give equal bytes.

        Raises:
            SerializationError: if the model is not trained or the folder cannot be written.
        """
        if self._fitted is None:
            raise SerializationError("the model is not trained, so there is nothing to save; call fit first")
        header = {
            **self._header(self.settings.to_json()),
            "columns": self._fitted.columns.to_json(),
            "context": self._fitted.context.to_json(),
        }
        write_model(path, NAME, header, self._fitted.weights())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Returns the model that ``save`` wrote, on the CPU.

        Raises:
            SerializationError: if a file is missing, corrupt, or of another model.
        """
        header, weights = read_model(path, NAME)
        try:
            check_header(header, FIELDS)
            model = cls(**header["options"])
            model._fitted = FittedCTGAN.restore(header, weights, model.settings)
            model._metrics, model.table = dict(header["metrics"]), header["table"]
        except (*MALFORMED, ConfigError) as error:
            raise SerializationError(
                f"the model in {path} is corrupt: {error}; train it again or restore the folder from a copy"
            ) from error
        return model

    def _log_start(self, table_name: str | None, rows: Packed, layout: Layout, steps: int) -> None:
        self._log.debug(
            "training_start",
            table=table_name,
            rows=len(rows),
            columns=len(layout.cardinalities),
            width=layout.width,
            steps=steps,
        )
