"""The public face for notebooks: fit, sample, save, load, evaluate over one metadata."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.conditional import ConditionedGenerator, Conditions, check_conditions
from synthohive_spark.config import Generate, Privacy
from synthohive_spark.errors import ConfigError, SchemaError, SerializationError, TrainingError
from synthohive_spark.evaluation.compare import evaluate
from synthohive_spark.evaluation.result import EvaluationResult
from synthohive_spark.forecast.learnt import columns_frame, learnt_html, rules_frame, tables_frame
from synthohive_spark.generation.row_counts import scaled_rows, wanted_rows
from synthohive_spark.lake.given import given_tables, named_tables
from synthohive_spark.location import Location
from synthohive_spark.matching.matching import Matching
from synthohive_spark.metadata import Metadata, actions_in
from synthohive_spark.models.artifact import MOST_BYTES as MOST_MODEL
from synthohive_spark.models.artifact import Artifact, check_models
from synthohive_spark.models.base import BUILT_IN, ConditionalGenerativeModel, model_name, resolve_model
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.personal import functions_of
from synthohive_spark.rules.loaded import read_plan
from synthohive_spark.schema.table_plan import Plans
from synthohive_spark.sql import quote, text_literal
from synthohive_spark.sql_grammar import sql_problem
from synthohive_spark.stage_writer import Trained
from synthohive_spark.strict import nearest
from synthohive_spark.untrusted import MALFORMED, plain_bytes, plain_json

FORMAT = 2  # of the saved file; another one is refused
FIELDS = {"format", "model", "privacy", "metadata", "plans", "models", "matching", "lineage", "sources"}
FILE, MODELS = "synthesizer.json", "models"
MOST_BYTES = 64 * 2**20  # of the saved file


class Synthesizer:
    """Learns linked Delta tables and samples synthetic ones.

    Args:
        metadata: the tables and their keys.
        spark: the session; the active one by default.
        model: the class of every table's model, or its name: ``ctgan``, ``autoregressive``, ``package.module.Class``.
        privacy: what protects the people behind the rows.

    Attributes:
        achieved: {table: share of its rows that fulfil the conditions} of the last sample with conditions.

    Example:
        >>> s = Synthesizer(Metadata.load("schema.json"))
        >>> s.fit({"users": "/lake/users", "orders": "/lake/orders"})
        >>> s.sample(scale=2.0, output_path="/lake/synthetic")
    """

    def __init__(
        self,
        metadata: Metadata,
        spark: SparkSession | None = None,
        model: type[ConditionalGenerativeModel] | str = CTGAN,
        privacy: Privacy | None = None,
    ) -> None:
        self.metadata = metadata
        self.privacy = privacy or Privacy()
        self.achieved: dict[str, float] = {}
        model_cls = resolve_model(model) if isinstance(model, str) else model
        self._orchestrator = StagedOrchestrator(metadata, spark, model_cls=model_cls)

    def fit(self, sources: Any, **options: Any) -> Synthesizer:
        """Learn the source.

        Args:
            sources: {table: Spark or pandas DataFrame, folder, or name of a table or view}, or one folder or schema of
                all of them. A Spark frame has to give the same rows whenever it is read.
            options: those of ``StagedOrchestrator.fit_all``: sample_rows, max_seconds, epochs, seed, linkage, and the
                model's. What is not given is as in the jobs' configuration.

        Raises:
            ConfigError: a table is missing or of another form, or an option is unknown; it says what to give instead.
            SchemaValidationError, SourceDataError, TrainingError: with place and remedy.
        """
        privacy = self.privacy
        usual = {
            "linkage": Generate().linkage,
            "keep_comments": privacy.keep_comments,
            "actions": privacy.actions,
            "secret": privacy.secret,
        }
        self._orchestrator.fit_all(sources, k=privacy.k, **{**usual, **options})
        return self

    def sample(
        self,
        table: str | None = None,
        *,
        scale: float = 1.0,
        num_rows: int | Mapping[str, int] | None = None,
        output_path: str | None = None,
        seed: int = 1,
        conditions: Conditions | None = None,
    ) -> Any:
        """Generate every table, or one table and what it needs.

        Args:
            table: the one that is wanted; the tables that it refers to are made for it.
            scale: multiplies the rows of root tables.
            num_rows: {table: rows}, instead of the scale; a number is that of ``table``, or of the only root table.
            output_path: the target's folder; children then read their parents from it.
            seed: the generation seed.
            conditions: {root table: {column: value, or list of values}}: every row of that table fulfils them, and its
                children follow. Where too few candidates do, ``achieved`` has the share that does.

        Returns:
            {table: DataFrame}, read from the target, or persisted if there is none; of one table its DataFrame.

        Raises:
            ConfigError: an argument cannot be; it says what to give instead. Or the target is the source.
            GenerationError: no candidate fulfils a condition.
        """
        trained = self._trained
        wanted = _asked(trained.plans, table, scale, num_rows)
        checked = {} if conditions is None else check_conditions(trained.plans, conditions)
        made = self.metadata if table is None else _needed_by(table, self.metadata)
        generator = ConditionedGenerator(
            self._orchestrator.spark, made, trained, self._orchestrator.model_cls, wanted, seed, checked
        )
        self.achieved = generator.achieved
        if output_path is None:
            frames = generator.in_memory()
            if table is None:
                return frames
            for name in frames:
                if name != table:
                    frames[name].unpersist()
            return frames[table]
        target = Location(path=output_path)
        self._orchestrator.writer_of(generator, target).write()
        frames = {t: self._orchestrator.io.read_dataset(target.table(t)) for t in made.tables}
        return frames if table is None else frames[table]

    def evaluate(self, synthetic: Any = None, real: Any = None) -> EvaluationResult:
        """Compare synthetic tables with the source that was learnt.

        Args:
            synthetic: as ``fit`` takes tables; a sample of as many rows as the source where none is given.
            real: the source, as ``fit`` takes it; what was fitted if not given. A loaded synthesizer needs it.

        Raises:
            ConfigError: a table is missing or of another form.
            SerializationError: the synthesizer was loaded, and no source is given.
            SourceDataError: a table or a column is missing, or is of another kind.
        """
        trained, spark, io = self._trained, self._orchestrator.spark, self._orchestrator.io
        named = {
            "real": None if real is None else named_tables(self.metadata, real, "evaluate: real"),
            "synthetic": None if synthetic is None else named_tables(self.metadata, synthetic, "evaluate"),
        }
        given = {side: given_tables(spark, io, self.metadata, n).frame for side, n in named.items() if n is not None}
        source = {t: given.get("real", trained.copies)(t) for t in self.metadata.tables}
        made = {} if synthetic is not None else self.sample()
        copy = made or {t: given["synthetic"](t) for t in self.metadata.tables}
        try:
            found = evaluate(self.metadata, source, copy, trained.plans, self.privacy.k)
        finally:
            for frame in made.values():
                frame.unpersist()
        return replace(found, about={"model": model_name(self._orchestrator.model_cls)})

    @property
    def plan(self) -> pd.DataFrame:
        """Every column that was learnt: its type and what is done with it."""
        return columns_frame(self._trained.plans)

    @property
    def rules(self) -> pd.DataFrame:
        """Every rule between columns that a copy keeps."""
        return rules_frame(self._trained.plans)

    def summary(self) -> pd.DataFrame:
        """Every table: rows, what it follows, how many columns are learnt, masked or follow from others, rules."""
        return tables_frame(self._trained.plans)

    def __repr__(self) -> str:
        trained, model = self._orchestrator.trained, model_name(self._orchestrator.model_cls)
        about = f"{len(self.metadata.tables)} tables, {model}"
        if trained is None:
            return f"Synthesizer({about}; nothing learnt yet: call fit)"
        rows, rules = (
            sum(p.rows for p in trained.plans.values()),
            sum(len(p.rules.each) for p in trained.plans.values()),
        )
        return f"Synthesizer({about}; learnt from {rows:,} rows, {rules} rules between columns)"

    def _repr_html_(self) -> str:
        trained = self._orchestrator.trained
        return learnt_html(repr(self), {} if trained is None else trained.plans)

    def register_tables(self, output_path: str, schema: str = "default") -> list[str]:
        """Make the tables under ``output_path`` known to the catalog, as external tables of ``schema``.

        Returns:
            Their names.
        """
        names = []
        for table in self.metadata.tables:
            name = ".".join([*(quote(p) for p in schema.split(".")), quote(table)])
            folder = text_literal(f"{Location(path=output_path).table(table).path}")
            self._orchestrator.spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION {folder}")
            names.append(name)
        return names

    def save(self, path: str | Path) -> None:
        """Write plans and models to a local folder: JSON and weights, nothing that runs code when it is loaded."""
        folder, trained = Path(path), self._trained
        (folder / MODELS).mkdir(parents=True, exist_ok=True)
        models = {t: trained.artifacts[t].model or b"" for t in sorted(trained.artifacts)}
        for i, model in enumerate(models.values()):
            (folder / MODELS / f"{i}.zip").write_bytes(model)
        state = {
            "format": FORMAT,
            "model": model_name(self._orchestrator.model_cls),
            "privacy": self.privacy.model_dump(mode="json"),
            "metadata": json.loads(self.metadata.to_json()),
            "plans": {t: json.loads(p.model_dump_json()) for t, p in trained.plans.items()},
            "models": {t: hashlib.sha256(model).hexdigest() for t, model in models.items()},
            "matching": {t: a.matching for t, a in trained.artifacts.items()},
            "lineage": trained.lineage,
            "sources": trained.sources,
        }
        (folder / FILE).write_text(json.dumps(state, indent=1), encoding="utf-8")

    @classmethod
    def load(
        cls,
        path: str | Path,
        spark: SparkSession | None = None,
        model: type[ConditionalGenerativeModel] | str | None = None,
        metadata: Metadata | None = None,
    ) -> Synthesizer:
        """Read what ``save`` wrote. Tables declared ``reference`` need a new ``fit``: their rows were not saved.

        Args:
            path: the folder of ``save``.
            spark: the session; the active one by default.
            model: the class that was fitted, or its name; needed only for a class of your own, since a file may not say
                what is imported.
            metadata: your own, if they declare Spark SQL beyond plain expressions: what they say is run, as it is
                yours. SQL of the folder alone is run only where it is known to be harmless.

        Raises:
            SerializationError: the folder holds no synthesizer, one of another version, or one that was tampered with.
        """
        folder = Path(path)
        try:
            state = plain_json(plain_bytes(folder / FILE, MOST_BYTES), MOST_BYTES)
            if state["format"] != FORMAT:
                raise SerializationError(f"{path} has format {state['format']}, this version reads {FORMAT}; fit again")
            if {*state} != FIELDS:
                raise ValueError(f"its fields are {', '.join(sorted(state))}")
            saved = Metadata.load(state["metadata"])
            privacy = Privacy.model_validate(state["privacy"])
            named = functions_of([*privacy.actions.values(), *actions_in(saved)])
            if named - functions_of(actions_in(metadata or Metadata())):  # a new fit would call them
                raise SerializationError(f"it names {', '.join(sorted(named))}; give your own metadata that name them")
            result = cls(saved, spark, _model_of(state["model"], model), privacy)
            result._orchestrator.trained = _restored(folder, state, saved, metadata)
            check_models(result._orchestrator.model_cls, result._orchestrator.trained.artifacts)
        except SerializationError as e:
            raise SerializationError(f"{path}: {e}") from e
        except (*MALFORMED, SchemaError) as e:
            raise SerializationError(f"{path} does not hold a saved synthesizer ({e}); give the folder of save") from e
        return result

    @property
    def _trained(self) -> Trained:
        if self._orchestrator.trained is None:
            raise TrainingError("nothing is learnt yet; call fit, or load a saved synthesizer")
        return self._orchestrator.trained


def _asked(plans: Plans, table: str | None, scale: float, num_rows: int | Mapping[str, int] | None) -> dict[str, int]:
    """Rows that were asked for, by table."""
    if table is not None and table not in plans:
        hint = nearest(str(table), list(plans)) if isinstance(table, str) else "give scale=2.0 for twice the rows"
        raise ConfigError(f"sample: {table!r} is no table; {hint}")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise ConfigError(f"scale={scale!r} is no multiple of a table's rows; give a number above 0")
    asked: dict[str, int] = {}
    if isinstance(num_rows, Mapping):
        asked = dict(num_rows)
    elif num_rows is not None:
        roots = [t for t, p in plans.items() if p.keys.driving is None and not p.reference]
        if table is None and len(roots) != 1:
            raise ConfigError(
                f"num_rows={num_rows!r}: {', '.join(roots)} have rows of their own; give {{table: rows}}, or scale"
            )
        asked = {table or roots[0]: num_rows}
    wrong = [t for t, n in asked.items() if isinstance(n, bool) or not isinstance(n, int)]
    if wrong:
        raise ConfigError(f"num_rows: {', '.join(map(str, wrong))}: give a whole number, 1 or more")
    return wanted_rows(plans, {**scaled_rows(plans, scale), **asked})


def _needed_by(table: str, metadata: Metadata) -> Metadata:
    """A table and all that it refers to, at any distance."""
    needed, waiting = {table}, [table]
    while waiting:
        more = {fk.references for fk in metadata.tables[waiting.pop()].foreign_keys} - needed
        needed |= more
        waiting += more
    return Metadata({t: spec for t, spec in metadata.tables.items() if t in needed})


def _model_of(
    name: Any, given: type[ConditionalGenerativeModel] | str | None
) -> type[ConditionalGenerativeModel] | str:
    """The class that was fitted: the one that was given, else one of the package's own."""
    if given is not None:
        return given
    if name not in BUILT_IN:
        raise SerializationError(f"it was fitted with a model of your own ({name!s:.100}); give that class as model")
    return f"{name}"


def _restored(folder: Path, state: Mapping[str, Any], saved: Metadata, own: Metadata | None) -> Trained:
    """Plans and models of a saved synthesizer, each checked."""
    tables, hashes = {*saved.tables}, dict(state["models"])
    if not tables == {*state["plans"]} or not {*hashes} == {*state["matching"]} <= tables:
        raise ValueError("metadata, plans and models are of different tables")
    declared = own.expressions | functions_of(actions_in(own)) if own is not None else frozenset()
    plans = {t: read_plan(p, declared) for t, p in state["plans"].items()}
    columns = {c for plan in plans.values() for c in plan.columns.types()}
    for sql in saved.expressions - declared:  # a new fit would run them
        if (wrong := sql_problem(sql, columns)) is not None:
            raise SerializationError(
                f"its metadata may not run: {wrong}; give your own as metadata, if they declare it"
            )
    if any(plan.table != t for t, plan in plans.items()):
        raise ValueError("a plan under the name of another table")
    if (folder / MODELS).is_symlink():
        raise ValueError(f"{MODELS} is a link, and a folder is expected")
    artifacts = {}
    for i, (table, known) in enumerate(hashes.items()):
        model, matching = plain_bytes(folder / MODELS / f"{i}.zip", MOST_MODEL), state["matching"][table]
        if hashlib.sha256(model).hexdigest() != known:
            raise ValueError(f"the model of {table} is not the one that was saved")
        Matching.unpack(matching)
        artifacts[table] = Artifact(model or None, matching)
    lineage = {f"{k}": f"{v}" for k, v in state["lineage"].items()}
    return Trained(plans, artifacts, _unsaved, lineage, {t: f"{place}" for t, place in state["sources"].items()})


def _unsaved(table: str) -> DataFrame:
    raise SerializationError(
        f"{table}: source rows are not saved with a synthesizer; call fit to read the source again"
    )
