"""How the encoded columns of a table lie side by side in a tensor: scalars first, then one-hot blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from synthohive_spark.models.encoders import Encoded, TableSpec


@dataclass(frozen=True)
class Layout:
    """Places of the columns in a row of ``width`` = S scalars + C one-hot places.

    Columns of one state and no scale are constant and take no place.

    Attributes:
        cardinalities: states of each column.
        scalar_columns: (S,) the column of each scalar.
        block_columns: (B,) the column of each one-hot block.
        block_sizes: (B,) places of each block; they add up to C.
        gates: (S,) the one-hot place (0 .. C-1) of the one state that each scalar belongs to, -1 if it belongs to all.
    """

    cardinalities: tuple[int, ...]
    scalar_columns: tuple[int, ...]
    block_columns: tuple[int, ...]
    block_sizes: tuple[int, ...]
    gates: tuple[int, ...]

    @classmethod
    def of(cls, spec: TableSpec) -> Layout:
        """Returns the layout of a table."""
        specs = spec.specs
        blocks = [index for index, column in enumerate(specs) if column.cardinality > 1]
        scalars = [index for index, column in enumerate(specs) if column.has_scalar]
        starts, place = {}, 0
        for index in blocks:
            starts[index] = place
            place += specs[index].cardinality
        gates = []
        for index in scalars:
            code = specs[index].continuous_code
            gates.append(-1 if code is None or index not in starts else starts[index] + code)
        sizes = tuple(specs[index].cardinality for index in blocks)
        cardinalities = tuple(column.cardinality for column in specs)
        return cls(cardinalities, tuple(scalars), tuple(blocks), sizes, tuple(gates))

    @property
    def scalars(self) -> int:
        """S, the number of scalars."""
        return len(self.scalar_columns)

    @property
    def states(self) -> int:
        """C, the number of one-hot places."""
        return sum(self.block_sizes)

    @property
    def width(self) -> int:
        """S + C."""
        return self.scalars + self.states

    @cached_property
    def gated(self) -> bool:
        """Whether any scalar belongs to one state of its column."""
        return any(gate >= 0 for gate in self.gates)

    def pack(self, encoded: Sequence[Encoded], rows: int) -> Packed:
        """Returns the n encoded rows as compact tensors."""
        codes = np.empty((rows, len(self.block_columns)), dtype=np.int32)
        for place, index in enumerate(self.block_columns):
            codes[:, place] = encoded[index].codes
        scalars = np.zeros((rows, self.scalars), dtype=np.float32)
        for place, index in enumerate(self.scalar_columns):
            ranks = encoded[index].ranks
            if ranks is not None:
                scalars[:, place] = ranks
        return Packed(torch.from_numpy(codes), torch.from_numpy(scalars), self.block_sizes)

    def unpack(self, packed: Packed) -> list[Encoded]:
        """Returns the n rows as encoded columns."""
        codes, scalars = packed.codes.cpu().numpy(), packed.scalars.cpu().numpy()
        block_of = {index: place for place, index in enumerate(self.block_columns)}
        scalar_of = {index: place for place, index in enumerate(self.scalar_columns)}
        columns = []
        for index in range(len(self.cardinalities)):
            block, scalar = block_of.get(index), scalar_of.get(index)
            states = np.zeros(len(codes), np.int64) if block is None else codes[:, block].astype(np.int64)
            columns.append(Encoded(states, None if scalar is None else scalars[:, scalar].astype(np.float64)))
        return columns


@dataclass(frozen=True)
class Packed:
    """Encoded rows without their one-hot form, which is made batch by batch.

    Attributes:
        codes: (n, B) int32 state of each block.
        scalars: (n, S) float32 ranks, 0 outside the "continuous" state.
        block_sizes: (B,) places of each block.
    """

    codes: Tensor
    scalars: Tensor
    block_sizes: tuple[int, ...]

    def __len__(self) -> int:
        return self.codes.shape[0]

    @property
    def width(self) -> int:
        """S + C."""
        return self.scalars.shape[1] + sum(self.block_sizes)

    def rows(self, index: Tensor) -> Packed:
        """Returns the (m,) indexed rows."""
        return Packed(self.codes[index], self.scalars[index], self.block_sizes)

    def to(self, device: torch.device) -> Packed:
        """Returns the rows on a device."""
        return Packed(self.codes.to(device), self.scalars.to(device), self.block_sizes)

    def places(self) -> Tensor:
        """Returns the (n, B) place of each block's state among the C one-hot places."""
        return self.codes + _places(self.block_sizes, self.codes.device)

    def dense(self) -> Tensor:
        """Returns the (n, S + C) float32 form."""
        if not self.block_sizes:
            return self.scalars
        count = self.scalars.shape[1]
        dense = self.scalars.new_zeros(len(self), self.width)
        dense[:, :count] = self.scalars
        dense[:, count:].scatter_(1, self.places(), 1.0)
        return dense


@lru_cache(maxsize=64)
def _places(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """Returns the (B,) place of the first state of each block."""
    return (torch.cumsum(torch.tensor(sizes), 0) - torch.tensor(sizes)).to(device)
