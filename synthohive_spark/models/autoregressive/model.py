"""The autoregressive model: every column is one or two categorical draws, given the columns before it and the context.

After TabularARGN (Tiwald et al. 2025), with held-out families, folds for small tables, and exact likelihoods.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import Self

from synthohive_spark.errors import ConfigError, GenerationError, SerializationError
from synthohive_spark.models.autoregressive.discretize import MOST_BINS, Resolution, TableCodes
from synthohive_spark.models.autoregressive.encoded_sample import EncodedSample
from synthohive_spark.models.autoregressive.feature_selection import choose_parents
from synthohive_spark.models.autoregressive.fitted import FittedNetwork, barriers
from synthohive_spark.models.autoregressive.networks import NetworkPlan
from synthohive_spark.models.autoregressive.options import AutoregressiveOptions
from synthohive_spark.models.autoregressive.sampling import (
    draw_batch,
    draw_codes,
    fixed_codes,
    log_likelihood,
    with_given,
)
from synthohive_spark.models.autoregressive.trainer import AutoregressiveTrainer, likelihood_metrics
from synthohive_spark.models.base import KeyMetadata
from synthohive_spark.models.common.calibrated_sampling import code_shares, draw_evenly, spread
from synthohive_spark.models.common.held_out import context_dropout, family_of_rows, held_out
from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.common.seeds import fresh_seed, numpy_rng, torch_rng
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
from synthohive_spark.models.encoders import Limits, decode_table, encode_table
from synthohive_spark.models.encoders.table import row_hashes
from synthohive_spark.untrusted import MALFORMED

NAME = "autoregressive"
FIELDS = {"options", "metrics", "columns", "context", "resolution", "parents"}  # of the header of a saved model
SAMPLE_BATCH = 4000  # what fits the caches
# Heads see no one-hot form, so more states are affordable than in a GAN.
MAX_STATES = 6000
ATOM_ROWS = 5  # rows that a value needs to be a state of its own
CANDIDATES = 64  # draws of a row of which one is picked by its likelihood
MOST_SHIFT = 2.0  # of a logit, for the sake of shares: more would give rows what their other columns speak against


class AutoregressiveModel(TableModel):
    """Autoregressive network of one table.

    Args:
        metadata: says which columns are keys; these are not modelled.
        batch_size: rows of a batch. None: it follows the size of the table.
        epochs: passes over the data, all of them taken. None: training stops where held-out families say so.
        max_seconds: what the steps may cost at the fixed prices of ``budget``.
        min_count: rows that must hold a value before it may be used verbatim.
        max_categories: strings kept of a column.
        device: "cpu", "cuda" or "auto".
        threads: of torch, during fit and sample. None leaves them as they are.
        progress: whether to draw a progress bar where stderr is a terminal.
        tuning: the other options of ``AutoregressiveOptions``: bins, dropout, context_dropout and more.

    Raises:
        ConfigError: if an option is unknown or out of range.
    """

    def __init__(
        self,
        metadata: KeyMetadata | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        max_seconds: float | None = None,
        min_count: int = 3,
        max_categories: int = 1000,
        device: str = "cpu",
        threads: int | None = None,
        progress: bool = False,
        **tuning: Any,
    ) -> None:
        usual = {
            "batch_size": batch_size,
            "epochs": epochs,
            "max_seconds": max_seconds,
            "min_count": min_count,
            "max_categories": max_categories,
            "device": device,
            "threads": threads,
            "progress": progress,
        }
        super().__init__(metadata, **usual, **tuning)
        self.settings = AutoregressiveOptions.of(self.options)
        self._fitted: FittedNetwork | None = None

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
            context: (n, c) columns of the parent of each row; rows of equal context are a family.
            table_name: name of the table in the metadata and in the log.
            seed: of all randomness; None takes a new one.
            discrete_columns: columns of numbers to take as categories; texts are so anyway.
            people: {column: (n,) code of whom each of its values is about}; without, each is about another person.

        Raises:
            TrainingError: if there are no rows, the lengths differ, a type is not covered, or training diverges.
        """
        start = time.monotonic()
        data, context, seed = self._prepared(data, context, table_name, seed, discrete_columns)
        columns = table_spec(data, self._limits(data), people)
        context_columns = table_spec(context, limits_of(context, self.settings.min_count, CONTEXT_CATEGORIES), people)
        share = MAX_STATES // max(1, data.shape[1])
        resolution = Resolution.of(len(data), self.settings.bins, self.settings.two_level, share)
        codes = TableCodes.of(columns, resolution)
        rows = codes.encode(encode_table(columns, data, numpy_rng(seed, 1)), len(data))
        conditions = Layout.of(context_columns).pack(encode_table(context_columns, context, None), len(data))
        encoded_at = time.monotonic()
        size = {"rows": len(data), "columns": data.shape[1], "sub_columns": len(codes.subs)}
        self._log.debug("training_start", table=table_name, **size)
        network, metrics = None, {"steps": 0, "clock_stop": False}
        if codes.subs:
            with torch_threads(self.settings.threads):
                trainer = self._trainer(codes, rows, conditions, row_hashes(context), table_name, seed)
                network = trainer.train()
            names = [columns.names[sub.column] + ":piece" * sub.level for sub in codes.subs]
            metrics = likelihood_metrics(trainer.record, names)
        shares = code_shares(torch.from_numpy(rows), tuple(codes.cardinalities))
        self._fitted = FittedNetwork(columns, context_columns, resolution, codes, network, shares)
        self._metrics = {
            **metrics,
            **self._discrete,
            "rows": len(data),
            "sub_columns": len(codes.subs),
            "seconds": round(time.monotonic() - start, 3),
            "encode_seconds": round(encoded_at - start, 3),
        }
        self._log.debug("training_complete", table=table_name, **self._summary())
        return self

    def sample(
        self,
        num_rows: int,
        context: pd.DataFrame | None = None,
        seed: int | None = None,
        given: pd.DataFrame | None = None,
        temperature: float = 1.0,
    ) -> pd.DataFrame:
        """Returns new rows; they depend on the model, the arguments and the seed alone.

        Args:
            num_rows: rows wanted.
            context: (num_rows, c) with at least the context columns of the fit; None for a model without context.
            seed: of the noise; None takes a new one.
            given: (num_rows, g) values of some columns, kept as they are. The draw is exact where no free column comes
                before a given one in the order (dates, then the columns of the table); else each row is picked from
                ``CANDIDATES`` drawn ones by their likelihood, which approaches the conditional law.
            temperature: below 1 the likely values gain, above 1 the unlikely ones.

        Raises:
            GenerationError: if the model is not trained, or context or given values do not fit it.
        """
        fitted = require_fitted(self._fitted)
        if not temperature > 0:
            raise GenerationError(f"temperature is {temperature}; give a number above 0")
        seed = fresh_seed() if seed is None else seed
        conditions = packed_context(fitted.context, context, num_rows)
        fixed = fixed_codes(fitted, given, num_rows)
        before = next((place for place in range(len(fitted.codes.subs)) if place not in fixed), len(fitted.codes.subs))
        candidates = CANDIDATES if any(place > before for place in fixed) else 1
        batch_rows = max(1, SAMPLE_BATCH // candidates)
        parts, places = [], []
        with torch_threads(self.settings.threads):
            for batch, first in enumerate(range(0, num_rows, batch_rows)):
                index = torch.arange(first, min(first + batch_rows, num_rows))
                rng = numpy_rng(seed, 2, batch)
                fixed_here = {place: values[index] for place, values in fixed.items()}
                parts.append(draw_batch(fitted, conditions.rows(index), fixed_here, candidates, temperature, rng))
                places.append(rng.random((len(index), len(fitted.columns.names))))
        codes = np.concatenate([np.zeros((0, len(fitted.codes.subs)), dtype=np.int64), *parts])
        uniform = np.concatenate([np.zeros((0, len(fitted.columns.names))), *places])
        rows = self._as_given(decode_table(fitted.columns, fitted.codes.decode(codes, uniform), num_rows, seed))
        return rows if given is None else with_given(rows, given)

    def sample_table(self, num_rows: int, context: pd.DataFrame | None = None, seed: int | None = None) -> pd.DataFrame:
        """Returns rows that stand for the table: as ``sample`` does, with the shares of each column kept.

        All rows are held at once, so this is for some ten thousand. Arguments and errors are those of ``sample``.
        """
        fitted = require_fitted(self._fitted)
        seed = fresh_seed() if seed is None else seed
        conditions = packed_context(fitted.context, context, num_rows).to(fitted.device)
        codes = np.zeros((num_rows, len(fitted.codes.subs)), dtype=np.int64)
        uniform = numpy_rng(seed, 2).random((num_rows, len(fitted.columns.names)))
        if fitted.network is not None and num_rows:
            rng = torch_rng(fitted.device, seed, 5)
            shares = torch.split(fitted.shares.to(fitted.device), fitted.codes.cardinalities)

            def pick(place: int, logits: Tensor) -> Tensor:
                # The shares of the pieces differ from bin to bin, so there is no one share to keep.
                kept = shares[place] if fitted.codes.subs[place].level == 0 else None
                return draw_evenly(logits, kept, rng, MOST_SHIFT, fitted.closed(place))

            with torch_threads(self.settings.threads):
                drawn, _ = draw_codes(fitted.network, conditions.dense(), pick, 1.0, {})
            codes = drawn.cpu().numpy()
            for place, sub in enumerate(fitted.codes.subs):
                uniform[:, sub.column] = spread(drawn[:, place].double(), rng).cpu().numpy()
        return self._as_given(decode_table(fitted.columns, fitted.codes.decode(codes, uniform), num_rows, seed))

    def log_likelihood(self, data: pd.DataFrame, context: pd.DataFrame | None = None) -> NDArray[np.float64]:
        """Returns the (n,) log probability (nats) of rows given their context, exact over states, bins and pieces.

        Values that were not kept count as what they are encoded to: the rare token, the nearest number.

        Args:
            data: (n, k) with at least the columns of the fit.
            context: (n, c) with at least the context columns of the fit; None for a model without context.

        Raises:
            GenerationError: if the model is not trained, or the columns do not fit it.
        """
        fitted = require_fitted(self._fitted)
        missing = [name for name in fitted.columns.names if name not in data.columns]
        if missing:
            raise GenerationError(f"the data lack the columns {missing}; the model was trained with them")
        conditions = packed_context(fitted.context, context, len(data))
        if fitted.network is None:
            return np.zeros(len(data))
        codes = torch.from_numpy(fitted.codes.encode(encode_table(fitted.columns, data, None), len(data)))
        parts = []
        with torch_threads(self.settings.threads):
            for index in torch.split(torch.arange(len(data)), SAMPLE_BATCH):
                dense = conditions.rows(index).to(fitted.device).dense()
                parts.append(log_likelihood(fitted.network, dense, codes[index].long().to(fitted.device)).cpu())
        return torch.cat(parts).numpy() if parts else np.zeros(0)

    def save(self, path: str | Path) -> None:
        """Writes the trained model into the folder ``path``; equal models give equal bytes.

        Raises:
            SerializationError: if the model is not trained or the folder cannot be written.
        """
        fitted = self._fitted
        if fitted is None:
            raise SerializationError("the model is not trained, so there is nothing to save; call fit first")
        header = self._header(self.settings.to_json()) | fitted.header()
        write_model(path, NAME, header, fitted.weights())

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
            model._fitted = FittedNetwork.restore(header, weights)
            model._metrics, model.table = dict(header["metrics"]), header["table"]
        except (*MALFORMED, ConfigError) as error:
            raise SerializationError(
                f"the model in {path} is corrupt: {error}; train it again or restore the folder from a copy"
            ) from error
        return model

    def _limits(self, frame: pd.DataFrame) -> Limits:
        limits = limits_of(frame, self.settings.min_count, self.settings.max_categories, MAX_STATES)
        numbers = min(MOST_BINS, limits.max_categories)
        return replace(limits, max_numbers=numbers, atom_share=1.0 / MOST_BINS, atom_rows=ATOM_ROWS)

    def _trainer(
        self,
        codes: TableCodes,
        rows: NDArray[np.int16],
        conditions: Packed,
        hashes: NDArray[np.uint64],
        table_name: str | None,
        seed: int,
    ) -> AutoregressiveTrainer:
        device = device_of(self.settings.device)
        families = family_of_rows(hashes) if conditions.width else np.arange(len(rows))
        plan = NetworkPlan.of(codes.cardinalities, conditions.width, choose_parents(rows, codes.cardinalities))
        sample = EncodedSample.of(rows, conditions, codes.cardinalities, barriers(codes), device)
        masks = [torch.from_numpy(mask).to(device) for mask in held_out(families, seed)]
        asked = self.settings.context_dropout
        dropout = context_dropout(hashes) if asked is None else asked
        return AutoregressiveTrainer(self.settings, plan, sample, masks, dropout, table_name, seed)
