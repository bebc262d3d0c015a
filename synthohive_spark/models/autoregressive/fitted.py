"""What training leaves behind of an autoregressive model: the network, and the codes of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from synthohive_spark.models.autoregressive.discretize import Resolution, TableCodes
from synthohive_spark.models.autoregressive.networks import EMBEDDING, ColumnHeads, NetworkPlan
from synthohive_spark.models.common.layout import Layout
from synthohive_spark.models.encoders import TableSpec
from synthohive_spark.models.encoders.checked import check_specs


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network with the specs of its columns.

    Attributes:
        columns: specs of the columns.
        context: specs of the context columns.
        resolution: how finely continuous columns are cut.
        codes: the sub-columns that follow from the two.
        network: None for tables whose columns are all constant.
        shares: share of each code of each sub-column, one sub-column's behind the other's.
    """

    columns: TableSpec
    context: TableSpec
    resolution: Resolution
    codes: TableCodes
    network: ColumnHeads | None
    shares: Tensor

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return torch.device("cpu") if self.network is None else next(self.network.parameters()).device

    def closed(self, place: int) -> int | None:
        """The state of a sub-column that is never drawn; None where there is none."""
        sub = self.codes.subs[place]
        return self.columns.specs[sub.column].closed_code if sub.level == 0 else None

    def header(self) -> dict[str, Any]:
        """All but the weights, as JSON values."""
        plan = self.network.plan if self.network is not None else None
        return {
            "columns": self.columns.to_json(),
            "context": self.context.to_json(),
            "resolution": self.resolution.to_json(),
            "parents": plan.parents if plan is not None and plan.wide else None,
        }

    def weights(self) -> dict[str, Tensor]:
        """All tensors, by the names under which they are saved."""
        return {**({} if self.network is None else self.network.state_dict()), "shares": self.shares}

    @classmethod
    def restore(cls, header: dict[str, Any], weights: dict[str, Tensor]) -> FittedNetwork:
        """The inverse of ``header`` and ``weights``, on the CPU.

        Raises:
            KeyError, ValueError, RuntimeError: the two do not fit each other.
        """
        columns, context = TableSpec.from_json(header["columns"]), TableSpec.from_json(header["context"])
        check_specs(columns)
        check_specs(context)
        resolution = Resolution(**header["resolution"])
        resolution.check()
        codes = TableCodes.of(columns, resolution)
        network, shares = None, weights.pop("shares")
        if shares.shape != (sum(codes.cardinalities),):
            raise ValueError(f"shares of {tuple(shares.shape)} for {sum(codes.cardinalities)} codes")
        if codes.subs:
            every = tuple(tuple(range(place)) for place in range(len(codes.subs)))
            chosen = header["parents"]
            parents = every if chosen is None else tuple(tuple(places) for places in chosen)
            if len(parents) != len(every) or not all(
                {*seen} <= {*before} for seen, before in zip(parents, every, strict=True)
            ):
                raise ValueError("heads that see other columns than those before them")
            plan = NetworkPlan.of(codes.cardinalities, Layout.of(context).width, parents)
            least = EMBEDDING * sum(codes.cardinalities) + sum(map(plan.head_weights, range(len(codes.subs))))
            if least > sum(tensor.numel() for tensor in weights.values()):  # before memory is taken for them
                raise ValueError("the columns ask for a larger network than there are weights for")
            network = ColumnHeads(plan, barriers(codes), torch.Generator())
            network.load_state_dict(weights)
            network.eval()
        return cls(columns, context, resolution, codes, network, shares)


def barriers(codes: TableCodes) -> list[Tensor | None]:
    """For each sub-column the states that a code before it rules out; None where none does."""
    found = (codes.barrier(place) for place in range(len(codes.subs)))
    return [None if barrier is None else torch.from_numpy(barrier) for barrier in found]
