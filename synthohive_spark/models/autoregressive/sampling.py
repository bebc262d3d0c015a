"""Drawing rows from the autoregressive network, one sub-column after the other, and judging rows by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from synthohive_spark.errors import GenerationError
from synthohive_spark.models.autoregressive.fitted import FittedNetwork
from synthohive_spark.models.autoregressive.networks import INPUTS, ColumnHeads, Seen
from synthohive_spark.models.common.calibrated_sampling import inverse_cdf
from synthohive_spark.models.common.closed import among_all, without
from synthohive_spark.models.common.layout import Packed
from synthohive_spark.models.encoders import TableSpec, encode_table

# The (n,) codes of a sub-column, by its place, from its (n, codes) logits.
Pick: TypeAlias = Callable[[int, Tensor], Tensor]


@torch.inference_mode()
def draw_codes(
    network: ColumnHeads, context: Tensor, pick: Pick, temperature: float, fixed: Mapping[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """Draws the rows of one batch.

    Args:
        network: trained.
        context: (n, K) dense context.
        pick: draws the codes of a sub-column.
        temperature: divides the logits; below 1 the likely codes gain.
        fixed: (n,) codes of sub-columns that are not drawn.

    Returns:
        (n, S) codes, and the (n,) log probability of the fixed ones, given what was drawn before each.
    """
    embedded = network.context(context)
    rows, start, count = len(context), embedded.shape[1], len(network.plan.cardinalities)
    wide, starts = network.plan.wide, network.get_buffer("starts").tolist()
    features = embedded if wide else context.new_empty(rows, start + INPUTS * count)
    features[:, :start] = embedded
    seen = Seen(features, network.table())
    codes = torch.zeros(rows, count, dtype=torch.long, device=context.device)
    weight = context.new_zeros(rows)
    for place in range(count):
        logits = network.logits(place, seen, codes)
        if place in fixed:
            codes[:, place] = fixed[place]
            weight -= F.cross_entropy(logits, codes[:, place], reduction="none")
        else:
            if temperature != 1.0:
                logits = logits / temperature
            codes[:, place] = pick(place, logits)
        if not wide:
            end = start + INPUTS * (place + 1)
            features[:, end - INPUTS : end] = seen.table[codes[:, place] + starts[place]]
    return codes, weight


@torch.inference_mode()
def log_likelihood(network: ColumnHeads, context: Tensor, codes: Tensor) -> Tensor:
    """Returns the (n,) log probability of (n, S) codes given their (n, K) context."""
    return network.log_probabilities(network.context(context), codes).double().sum(dim=1)


def resample(codes: Tensor, weight: Tensor, uniform: Tensor) -> Tensor:
    """Picks one of the candidates of each row by its weight (sampling-importance-resampling).

    Args:
        codes: (n * candidates, S) candidates, those of a row side by side.
        weight: (n * candidates,) log weights.
        uniform: (n,) numbers in [0, 1).

    Returns:
        (n, S) codes.
    """
    rows = len(uniform)
    chosen = inverse_cdf(weight.reshape(rows, -1), uniform)
    return codes.reshape(rows, -1, codes.shape[1])[torch.arange(rows, device=codes.device), chosen]


def draw_batch(
    fitted: FittedNetwork,
    conditions: Packed,
    fixed: dict[int, Tensor],
    candidates: int,
    temperature: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Returns the (n, S) codes of one batch, each row picked from so many candidates."""
    rows, device = len(conditions), fitted.device
    if fitted.network is None:
        return np.zeros((rows, 0), dtype=np.int64)
    uniform = torch.from_numpy(rng.random((rows * candidates, len(fitted.codes.subs)), dtype=np.float32)).to(device)
    context = conditions.to(device).dense().repeat_interleave(candidates, dim=0)
    repeated = {place: values.to(device).repeat_interleave(candidates) for place, values in fixed.items()}

    def pick(place: int, logits: Tensor) -> Tensor:
        closed = fitted.closed(place)
        return among_all(inverse_cdf(without(logits, closed), uniform[:, place]), closed)

    codes, weight = draw_codes(fitted.network, context, pick, temperature, repeated)
    if candidates > 1:
        chosen = torch.from_numpy(rng.random(rows, dtype=np.float32)).to(device)
        codes = resample(codes, weight, chosen)
    drawn: NDArray[np.int64] = codes.cpu().numpy()
    return drawn


def fixed_codes(fitted: FittedNetwork, given: pd.DataFrame | None, rows: int) -> dict[int, Tensor]:
    """Returns the (n,) codes of the sub-columns of given columns."""
    if given is None:
        return {}
    strange = [name for name in given.columns if name not in fitted.columns.names]
    if strange:
        raise GenerationError(f"the model has no columns {strange}; given columns must be among those it was fit on")
    if len(given) != rows:
        raise GenerationError(f"num_rows is {rows} but there are {len(given)} given rows; give one for each row")
    columns = tuple((name, spec) for name, spec in fitted.columns.columns if name in given.columns)
    encoded = dict(zip(TableSpec(columns).names, encode_table(TableSpec(columns), given, None), strict=True))
    names, fixed = fitted.columns.names, {}
    for place, sub in enumerate(fitted.codes.subs):
        if names[sub.column] in encoded:
            levels = fitted.codes.columns[sub.column].encode(encoded[names[sub.column]])
            fixed[place] = torch.from_numpy(levels[sub.level])
    return fixed


def with_given(rows: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows with the given values as they are, in the dtypes of the model where they fit."""
    for name in given.columns:
        values = given[name].reset_index(drop=True)
        try:
            rows[name] = values.astype(rows[name].dtype)
        except (TypeError, ValueError):
            rows[name] = values
    return rows
