"""Metadata of tables that were handed over, in one call: keys, types, what is personal, with the evidence for each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession

from synthohive_spark.draft import counts
from synthohive_spark.draft.counts import Declared
from synthohive_spark.draft.file import draft_text
from synthohive_spark.draft.metadata_draft import propose, tables_of
from synthohive_spark.errors import ConfigError, SchemaValidationError
from synthohive_spark.lake.given import FORMS, given_tables, named_tables
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import Metadata
from synthohive_spark.session import get_session, settings

log = get_logger(__name__)


def detected(sources: Any, spark: SparkSession | None = None) -> tuple[Metadata, str]:
    """Propose keys, types and what is personal; nothing is written.

    Args:
        sources: {table: Spark or pandas DataFrame, folder, or name of a table or view}, or a folder or a schema that
            holds Delta tables.
        spark: the session; the active one, or a local one.

    Returns:
        The metadata, and the draft as YAML with the evidence beside each line.

    Raises:
        ConfigError: nothing was given, or something of another form.
    """
    spark = spark or get_session("synthohive")
    place = "the tables given"
    if isinstance(sources, str | Path):
        place = str(sources)
        lake = Location(path=place) if "/" in place else Location(schema_name=place)
        names = tables_of(spark, lake)
    elif isinstance(sources, Mapping):
        names = [str(t) for t in sources]
    else:
        kind = type(sources).__name__
        raise ConfigError(f"detect: {kind} was given; give {{table: {FORMS}}}, or one folder of them all")
    if not names:
        raise ConfigError(f"detect: there is no table in {place}; give {{table: {FORMS}}}")
    wanted = Metadata()
    for name in names:
        wanted.add_table(name)
    io = DeltaIO(spark)
    given = given_tables(spark, io, wanted, named_tables(wanted, sources, "detect"))
    known = {}
    with settings(spark):
        for name in names:
            frame = given.frame(name)
            said = counts.declared(spark, given.refs[name], frame.columns) if name in given.places else Declared()
            known[name] = (frame, said)
        drafted = propose(counts.table_profiles(known))
    text = draft_text(drafted, place)
    try:
        found = Metadata.load(yaml.safe_load(text))
        found.validate_schema()
    except SchemaValidationError as e:
        log.warning("draft_needs_mending", problems=e.problems)
        text = draft_text(drafted, place, e.problems)
    return Metadata.load(yaml.safe_load(text)), text
