"""What training leaves behind of a CTGAN: the generator, and what sampling needs beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from synthohive_spark.models.common.calibration import RANK_KNOTS
from synthohive_spark.models.common.layout import Layout
from synthohive_spark.models.ctgan.conditions import Conditions
from synthohive_spark.models.ctgan.networks import FoldedGenerator, Generator
from synthohive_spark.models.ctgan.options import CTGANOptions
from synthohive_spark.models.encoders import TableSpec
from synthohive_spark.models.encoders.checked import check_specs


@dataclass(frozen=True)
class FittedCTGAN:
    """A trained generator with the specs of its columns.

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

    @cached_property
    def closed(self) -> list[int | None]:
        """The state of each one-hot block that is never drawn; None where there is none."""
        return [self.columns.specs[column].closed_code for column in Layout.of(self.columns).block_columns]

    @cached_property
    def asked(self) -> Tensor:
        """The (D,) chances of the conditions of new rows: none asks for a state that is never drawn."""
        chances, start = self.conditions.clone(), 0
        known = Conditions(Layout.of(self.columns), torch.device("cpu"))
        for block, size in zip(known.blocks, known.sizes, strict=True) if len(chances) else ():
            closed = self.closed[block]
            if closed is not None:
                chances[start + closed] = 0.0
            start += size
        return chances

    def weights(self) -> dict[str, Tensor]:
        """All tensors, by the names under which they are saved."""
        weights = {"rank_knots": self.rank_knots, "conditions": self.conditions, "states": self.states}
        if self.generator is not None:
            weights |= {f"generator.{name}": tensor for name, tensor in self.generator.state_dict().items()}
        return weights

    @classmethod
    def restore(cls, header: dict[str, Any], weights: dict[str, Tensor], options: CTGANOptions) -> FittedCTGAN:
        """The inverse of ``weights``; the header holds the specs.

        Raises:
            ValueError: the tensors do not fit the specs.
        """
        columns, context = TableSpec.from_json(header["columns"]), TableSpec.from_json(header["context"])
        check_specs(columns)
        check_specs(context)
        layout, knots = Layout.of(columns), weights.pop("rank_knots")
        conditions, states = weights.pop("conditions", torch.zeros(0)), weights.pop("states")
        if not layout.width:
            return cls(columns, context, None, knots, conditions, states)
        ranked = layout.scalars if options.normalisation == "rank" else 0
        wanted = Conditions(layout, torch.device("cpu")).width if options.conditional_sampling else 0
        if knots.shape != (ranked, RANK_KNOTS) or (len(conditions), len(states)) != (wanted, layout.states):
            shapes = {"rank_knots": knots, "conditions": conditions, "states": states}
            raise ValueError(", ".join(f"{name} has shape {tuple(tensor.shape)}" for name, tensor in shapes.items()))
        noise, hidden = options.embedding_dim, options.generator_dim
        least = sum(a * b for a, b in pairwise((noise, *hidden, layout.width)))  # before memory is taken for them
        if least > sum(tensor.numel() for tensor in weights.values()):
            raise ValueError("the options say of a larger generator than there are weights for")
        generator = Generator(noise, Layout.of(context).width, hidden, layout.width, torch.Generator(), wanted)
        generator.load_state_dict({name.removeprefix("generator."): tensor for name, tensor in weights.items()})
        generator.eval()
        return cls(columns, context, generator, knots, conditions, states)
