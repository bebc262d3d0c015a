"""What the models of one table share: keys left out, columns and context encoded, threads and device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
import structlog
import torch
from numpy.typing import NDArray

from synthohive_spark.errors import GenerationError, TrainingError
from synthohive_spark.models.base import ConditionalGenerativeModel, KeyMetadata
from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.common.seeds import fresh_seed
from synthohive_spark.models.common.storage import HEADER_FILE, WEIGHTS_FILE
from synthohive_spark.models.encoders import Limits, TableSpec, analyze_table, encode_table, reduce_table
from synthohive_spark.strict import nearest

CONTEXT_CATEGORIES = 31  # texts of a context column that are told apart, with the rare token 32 places
MAX_STATES = 2000  # places of all one-hot blocks: what a step may cost
NUMBERS = tuple(f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64))
FEWEST_STATES = 8  # of a text in a wide table
Fitted = TypeVar("Fitted")
People = Mapping[str, NDArray[np.int64]]


class TableModel(ConditionalGenerativeModel):
    """A model that says in ``metrics`` and in the log what its training did.

    Attributes:
        table: the table that it was trained with; None without a name.
    """

    files: ClassVar[tuple[str, ...] | None] = (HEADER_FILE, WEIGHTS_FILE)

    def __init__(self, metadata: KeyMetadata | None = None, **options: Any) -> None:
        super().__init__(metadata, **options)
        self.table: str | None = None
        self._metrics: dict[str, Any] = {}
        self._discrete: dict[str, Any] = {}  # of the metrics
        self._log = structlog.get_logger("synthohive_spark.models")

    @property
    def metrics(self) -> dict[str, Any]:
        """Steps, losses, seconds and more of the last fit, as JSON values."""
        return dict(self._metrics)

    def _summary(self) -> dict[str, Any]:
        """The metrics without the history of the losses."""
        return {key: value for key, value in self._metrics.items() if key != "history"}

    def _header(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what the header of every saved model holds."""
        return {"table": self.table, "options": dict(options), "metrics": self._timeless()}

    def _timeless(self) -> dict[str, Any]:
        """Returns the metrics that do not depend on the day: those that are saved."""
        return {key: value for key, value in self._metrics.items() if not key.endswith("seconds")}

    def _prepared(
        self,
        data: pd.DataFrame,
        context: pd.DataFrame | Sequence[str] | None,
        table_name: str | None,
        seed: int | None,
        discrete_columns: Sequence[str] | None = None,
    ) -> tuple[pd.DataFrame, pd.DataFrame, int]:
        """What ``fit`` was given, without keys, with a context of no columns and a new seed where there was none.

        Names in place of the context are columns to take as categories: ``fit(data, discrete_columns)`` of ``ctgan``.
        """
        if not isinstance(data, pd.DataFrame):
            raise TrainingError(
                f"fit was given {type(data).__name__}; give a pandas DataFrame, a column for each attribute"
            )
        if context is not None and not isinstance(context, pd.DataFrame):
            discrete_columns, context = context, None
        self.table = table_name
        data = self._without_keys(data, table_name)
        data, kinds = as_categories(data, discrete_columns or ())
        self._discrete = {"discrete": kinds} if kinds else {}
        context = pd.DataFrame(index=data.index) if context is None else context
        check_rows(data, context, table_name)
        return data, context, fresh_seed() if seed is None else seed

    def _as_given(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Columns that were taken as categories are of their own type again."""
        known = self._metrics.get("discrete")
        for name, kind in known.items() if isinstance(known, dict) else ():
            if name in rows and kind in NUMBERS:
                rows[name] = numbers_again(rows[name], kind)
        return rows

    def _without_keys(self, data: pd.DataFrame, table_name: str | None) -> pd.DataFrame:
        if self.metadata is None:
            return data
        if table_name is None:
            self._log.warning("keys_unknown", reason="fit was given no table_name, so key columns are modelled too")
            return data
        keys = self.metadata.key_columns(table_name)
        return data[[name for name in data.columns if name not in keys]]


def limits_of(frame: pd.DataFrame, min_count: int, max_categories: int, max_states: int = MAX_STATES) -> Limits:
    """Returns what may be kept of a frame; the columns share one budget of states."""
    share = max(FEWEST_STATES, max_states // max(1, frame.shape[1]))
    usual = Limits(min_count=min_count)
    return replace(usual, max_categories=min(max_categories, share), max_numbers=min(usual.max_numbers, share))


def device_of(name: str) -> torch.device:
    """Returns the device of that name; "auto" is a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def require_fitted(fitted: Fitted | None) -> Fitted:
    """Returns what training left behind.

    Raises:
        GenerationError: if the model is not trained.
    """
    if fitted is None:
        raise GenerationError("the model is not trained; call fit, or load a saved model")
    return fitted


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Runs a block with so many torch threads, then puts the former number back."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def table_spec(frame: pd.DataFrame, limits: Limits, people: People | None = None) -> TableSpec:
    """Returns the specs of the columns of a frame.

    Args:
        frame: the rows.
        limits: what may be kept.
        people: {column: (n,) code of whom each of its values is about}; without, each is about another person.
    """
    return reduce_table([analyze_table(frame, alone=True, people=people)], limits)


def numbers_again(texts: Any, kind: str) -> pd.Series[Any]:
    """Returns what ``as_categories`` made of a column as the numbers that they were."""
    numbers: Any = pd.to_numeric(texts, errors="coerce")
    found: pd.Series[Any] = numbers if numbers.isna().any() else numbers.astype(kind)
    return found


def as_categories(data: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Returns the data with these columns as text, and {column: its type} of those that held numbers.

    Raises:
        TrainingError: a name is not that of a column.
    """
    listed = [names] if isinstance(names, str) else list(names)
    columns = [str(c) for c in data.columns]
    if wrong := [str(n) for n in listed if str(n) not in columns]:
        hints = "; ".join(f"{n!r}: {nearest(n, columns)}" for n in wrong)
        raise TrainingError(f"discrete_columns names what is no column: {hints}")
    kinds = {str(n): str(data[n].dtype) for n in listed if pd.api.types.is_numeric_dtype(data[n])}
    kinds = {n: kind for n, kind in kinds.items() if kind in NUMBERS}
    texts = {n: data[n].map(str, na_action="ignore").astype("object") for n in kinds}
    return data.assign(**texts), kinds


def check_rows(data: pd.DataFrame, context: pd.DataFrame, table_name: str | None) -> None:
    """Refuses data of no rows, and context that does not go with it.

    Raises:
        TrainingError: saying what is wrong.
    """
    if len(data) == 0:
        raise TrainingError(f"table {table_name!r} has no rows to learn from; give at least one")
    if len(context) != len(data):
        raise TrainingError(
            f"table {table_name!r} has {len(data)} rows but {len(context)} rows of context; give one for each row"
        )


def packed_context(spec: TableSpec, context: pd.DataFrame | None, rows: int) -> Packed:
    """Returns the packed context columns that a model was trained with."""
    given = pd.DataFrame(index=pd.RangeIndex(rows)) if context is None else context
    missing = [name for name in spec.names if name not in given.columns]
    if missing:
        raise GenerationError(f"the context lacks the columns {missing}; the model was trained with them")
    if len(given) != rows:
        raise GenerationError(f"num_rows is {rows} but the context has {len(given)} rows; give one for each row")
    return Layout.of(spec).pack(encode_table(spec, given, None), rows)
