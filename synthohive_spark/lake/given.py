"""Tables as people hand them over: frames of Spark or pandas, folders, names of tables and of views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.errors import ConfigError, SourceDataError
from synthohive_spark.location import Location, TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.sql import quote
from synthohive_spark.strict import nearest

FORMS = "a Spark or pandas DataFrame, a folder, or the name of a table or view"


class BesideTheLake:
    """Reads frames that were handed over, by their ``TableRef``, and everything else as the lake's own reader does.

    Args:
        io: the lake's reader and writer.
        frames: {text of the reference: frame}.
    """

    def __init__(self, io: Any, frames: Mapping[str, DataFrame]) -> None:
        self._io, self._frames = io, dict(frames)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._io, name)

    def version(self, place: TableRef | str, timestamp: str | None = None) -> int | None:
        """0 for a frame, which has no versions."""
        return 0 if _text(place) in self._frames else self._io.version(place, timestamp)

    def read_dataset(self, place: TableRef | str, version: int | None = None) -> DataFrame:
        """The frame, or the table of the lake."""
        frame = self._frames.get(_text(place))
        found: DataFrame = self._io.read_dataset(place, version) if frame is None else frame
        return found


@dataclass(frozen=True)
class GivenTables:
    """What was handed over for the tables of a metadata.

    Attributes:
        refs: {table: reference that ``io`` reads}.
        io: reads them.
        places: {table: folder or catalog name} of those that lie in a lake.
    """

    refs: dict[str, TableRef]
    io: Any
    places: dict[str, str]

    def frame(self, table: str) -> DataFrame:
        """The rows of a table."""
        found: DataFrame = self.io.read_dataset(self.refs[table])
        return found


def named_tables(metadata: Metadata, given: Any, call: str) -> dict[str, Any]:
    """{table: what was given for it}, checked before any work.

    Args:
        metadata: whose tables are wanted; all of them have to be there.
        given: {table: one of FORMS}, or a folder or schema that holds all of them.
        call: what was called, for the message.

    Raises:
        ConfigError: with every table that is missing, unknown or of another form, and what to give instead.
    """
    if isinstance(given, str | Path):
        text = str(given)
        place = Location(path=text) if "/" in text else Location(schema_name=text)
        given = {t: place.table(t).path or f"{text}.{t}" for t in metadata.tables}
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise ConfigError(f"{call}: {kind} was given; give {{table: {FORMS}}}, or one folder of them all")
    found = [f"{t}: is missing" for t in metadata.tables if t not in given]
    unknown = [str(t) for t in given if t not in metadata.tables]
    found += [f"{t!r} is no table of the metadata; {nearest(t, list(metadata.tables))}" for t in unknown]
    wrong = {t: type(g).__name__ for t, g in given.items() if not isinstance(g, str | Path | DataFrame | pd.DataFrame)}
    found += [f"{t}: {kind} was given" for t, kind in wrong.items()]
    if found:
        raise ConfigError("\n  - ".join([f"{call}: give {FORMS} for every table of the metadata:", *found]))
    return dict(given)


def given_tables(spark: SparkSession, io: Any, metadata: Metadata, given: Mapping[str, Any]) -> GivenTables:
    """Make what ``named_tables`` checked readable.

    Args:
        spark: the session.
        io: the lake's reader.
        metadata: the tables and their keys.
        given: {table: one of FORMS}.

    Raises:
        ConfigError: there is no such table or view, or a pandas frame has columns that Spark cannot take.
    """
    refs, frames, places = dict[str, TableRef](), dict[str, DataFrame](), dict[str, str]()
    for table, one in given.items():
        ref = TableRef.parse(str(one)) if isinstance(one, str | Path) else None
        frame = _frame(spark, io, ref, one, (table, metadata.key_columns(table)))
        if frame is not None:
            refs[table] = TableRef(sql=quote(f"frame of {table}"), path=None)
            frames[refs[table].sql] = frame
        elif ref is not None:
            refs[table], places[table] = ref, ref.path or str(one)
    return GivenTables(refs, BesideTheLake(io, frames) if frames else io, places)


def _frame(
    spark: SparkSession, io: Any, ref: TableRef | None, one: Any, about: tuple[str, set[str]]
) -> DataFrame | None:
    """The frame that was given, or the view; None for a table of the lake."""
    if isinstance(one, DataFrame):
        return one
    if isinstance(one, pd.DataFrame):
        return from_pandas(spark, one, *about)
    if ref is None or ref.path is not None:
        return None
    try:
        if io.version(ref) is not None:
            return None
    except (AnalysisException, SourceDataError):
        pass  # a view, or a table of another format
    try:
        return spark.table(ref.sql)
    except AnalysisException as e:
        raise ConfigError(f"{about[0]}: there is no table or view {one!r}; give {FORMS}") from e


def from_pandas(spark: SparkSession, frame: pd.DataFrame, table: str, keys: set[str]) -> DataFrame:
    """A pandas frame as a Spark frame, without its index.

    Args:
        spark: the session.
        frame: the rows.
        table: its name, for the message.
        keys: columns that are keys: whole numbers that pandas holds as floats, since some are missing, become whole.

    Raises:
        ConfigError: a column has values of several types, or none that Spark has.
    """
    names = [str(c) for c in frame.columns]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise ConfigError(f"{table}: {', '.join(repeated)} occur more than once; rename the columns")
    arrays, wrong = [], []
    for i, name in enumerate(names):
        column = frame.iloc[:, i]
        if name in keys and pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
            column = column.astype("Int64")
        try:
            arrays.append(_plain(pa.Array.from_pandas(column)))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            wrong.append(f"{table}.{name}: pandas type {column.dtype} with values of several types; make it one type")
    if wrong:
        raise ConfigError("\n  - ".join(["columns that Spark cannot take:", *wrong]))
    return spark.createDataFrame(pa.Table.from_arrays(arrays, names=names))


def _plain(array: Any) -> Any:
    """An array of a type that Spark has."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_null(kind):
        return array.cast(pa.string())
    return array


def _text(place: TableRef | str) -> str:
    return place.sql if isinstance(place, TableRef) else place
