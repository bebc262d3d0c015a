"""Strings: the most frequent ones are states; rare ones, and those beyond the cap, share one more.

A model learns that state too, as what it stands for goes along with other columns, but its token is never written:

* where most of what it stands for is frequent and beyond the cap, one of these strings is drawn by its rows;
* where the rare strings are of a kind that follows a standard (times of the day, UUIDs), a value of that kind is made;
* where most strings are rare, made-up words are written;
* else the state is closed: models draw one of the others, given the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders.sample import Origin
from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share
from synthohive_spark.models.encoders.tokens import (
    TokenPartial,
    TokenSpec,
    merged_counts,
    merged_support,
    token_codes,
    token_values,
)
from synthohive_spark.privacy.masks import BIJECTIVE, Mask
from synthohive_spark.privacy.syllables import word_mask
from synthohive_spark.privacy.textkinds import kind_of_texts

RARE_TOKEN = "_RARE_"
MOST = 0.5  # share from which on strings beyond the cap stand for the rare ones, and rare ones for a column
BEYOND = 5_000  # strings beyond the cap that are kept, the most frequent ones


@dataclass(frozen=True)
class CategoricalSpec(TokenSpec):
    """Spec of a string column; the rare token, if any string is rare, is the last token.

    Attributes:
        rare_mask: of the values that are made for the rare token, as JSON; None where none are.
        beyond: strings that are frequent and no states, one of which is drawn for the rare token.
        beyond_rows: the rows of each.
    """

    rare_mask: dict[str, Any] | None = None
    beyond: tuple[str, ...] = ()
    beyond_rows: tuple[int, ...] = ()

    @property
    def rare_code(self) -> int | None:
        """The state of all strings that were not kept, None where there are none."""
        return len(self.tokens) - 1 if self.tokens[-1:] == (RARE_TOKEN,) else None

    @property
    def unknown_code(self) -> int:
        """The code of a string that was not kept: the rare token, or the most frequent one where none is rare."""
        return self.rare_code or 0

    @property
    def closed_code(self) -> int | None:
        """The state of the rare token, where nothing can be written for it."""
        return self.rare_code if self.rare_mask is None and not self.beyond else None


def analyze(values: pd.Series[Any], origin: Origin) -> TokenPartial:
    """Returns the statistics of a chunk of n strings."""
    counted = values.value_counts(dropna=True)
    counts = dict(zip(counted.index.tolist(), counted.tolist(), strict=True))
    dtype = "object" if values.dtype.kind == "O" and values.dtype == np.dtype(object) else str(values.dtype)
    held = None
    if origin.people is not None:
        pairs = pd.DataFrame({"token": values.to_numpy(dtype=object), "who": origin.people}).dropna()
        own = pairs[pairs["who"] >= 0].drop_duplicates()["token"].value_counts()
        held = dict(zip(own.index.tolist(), own.tolist(), strict=True))
    return TokenPartial("categorical", dtype, len(values), int(values.isna().sum()), counts, held)


def reduce(partials: Sequence[TokenPartial], limits: Limits) -> CategoricalSpec:
    """Returns the spec of the whole column."""
    counts, held = merged_counts(partials), merged_support(partials)
    frequent = [token for token in counts if held.get(token, 0) >= limits.min_count and token != RARE_TOKEN]
    ordered = sorted(frequent, key=lambda token: (-counts[token], token))
    kept, beyond = ordered[: limits.max_categories], ordered[limits.max_categories :]
    rare = (RARE_TOKEN,) if len(kept) < len(counts) else ()
    spec = CategoricalSpec("categorical", merged_dtype(partials), merged_null_share(partials), (*kept, *rare))
    if not rare:
        return spec
    hidden = {token: n for token, n in counts.items() if held.get(token, 0) < limits.min_count and token != RARE_TOKEN}
    lost, open_rows, all_rows = sum(hidden.values()), sum(counts[token] for token in beyond), counts.total()
    if open_rows and open_rows >= MOST * (lost + open_rows):
        rows = tuple(counts[token] for token in beyond[:BEYOND])
        return replace(spec, beyond=tuple(beyond[:BEYOND]), beyond_rows=rows)
    mask = kind_of_texts(hidden) if hidden else None
    if mask is None and (not kept or lost > MOST * all_rows):
        mask = word_mask(hidden)
    return replace(spec, rare_mask=mask.model_dump(mode="json")) if mask is not None else spec


def encode(spec: CategoricalSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns the codes of n values."""
    return token_codes(spec, values, spec.unknown_code)


def decode(spec: CategoricalSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n strings of the column's dtype; of a closed state, which no model draws, the most frequent one."""
    if spec.closed_code is None:
        return token_values(spec, encoded)
    return token_values(spec, Encoded(np.where(encoded.codes == spec.closed_code, 0, encoded.codes)))


def written(
    spec: CategoricalSpec, encoded: Encoded, values: pd.Series[Any], rng: np.random.Generator
) -> pd.Series[Any]:
    """Returns the n decoded strings with those in place that stand for the rare token."""
    rare = np.flatnonzero(encoded.codes == spec.rare_code) if spec.closed_code is None else np.zeros(0, np.int64)
    if not rare.size:
        return values
    if spec.beyond:
        mass = np.cumsum(np.asarray(spec.beyond_rows, np.float64))
        place = np.searchsorted(mass, rng.random(rare.size) * mass[-1], side="right")
        texts = np.array(spec.beyond, dtype=object)[np.minimum(place, len(mass) - 1)]
    else:
        mask = Mask.model_validate(spec.rare_mask)
        texts = mask.strings(rng.integers(0, min(mask.capacity, BIJECTIVE), rare.size), int(rng.integers(BIJECTIVE)))
    values.iloc[rare] = texts
    return values


def shown(counts: Mapping[str, int], limits: Limits) -> tuple[frozenset[str], bool]:
    """Returns what a copy shows of a column: strings that it may hold, and whether it makes up others.

    Args:
        counts: {string: those who hold it}.
        limits: what a model may keep.
    """
    spec = reduce([TokenPartial("categorical", "object", sum(counts.values()), 0, counts)], limits)
    return frozenset((*spec.tokens, *spec.beyond)) - {RARE_TOKEN}, spec.rare_mask is not None


KIND = ColumnKind("categorical", CategoricalSpec, analyze, reduce, encode, decode)
