"""The public face for notebooks: fit, sample, save, load, evaluate over one metadata."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.config import Privacy
from synthohive_spark.errors import ConfigError, SchemaError, SerializationError, TrainingError
from synthohive_spark.evaluation.compare import evaluate
from synthohive_spark.evaluation.scores import Evaluation
from synthohive_spark.generation.row_counts import scaled_rows
from synthohive_spark.location import Location
from synthohive_spark.matching.matching import Matching
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.artifact import MOST_BYTES as MOST_MODEL
from synthohive_spark.models.artifact import Artifact, check_models
from synthohive_spark.models.base import ConditionalGenerativeModel, resolve_model
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.rules.loaded import read_plan
from synthohive_spark.sql import quote, text_literal
from synthohive_spark.sql_grammar import sql_problem
from synthohive_spark.stage_writer import Trained
from synthohive_spark.untrusted import MALFORMED, plain_bytes, plain_json

FORMAT = 1  # of the saved file; another one is refused
FIELDS = {"format", "metadata", "plans", "models", "matching", "lineage", "sources"}
FILE, MODELS = "synthesizer.json", "models"
MOST_BYTES = 64 * 2**20  # of the saved file


class Synthesizer:
    """Learns linked Delta tables and samples synthetic ones.

    Args:
        metadata: the tables and their keys.
        spark: the session; the active one by default.
        model: the class of every table's model, or its name: ``ctgan``, ``autoregressive``, ``package.module.Class``.
        privacy: what protects the people behind the rows.

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
        model_cls = resolve_model(model) if isinstance(model, str) else model
        self._orchestrator = StagedOrchestrator(metadata, spark, model_cls=model_cls)

    def fit(self, paths: Mapping[str, str], **options: Any) -> Synthesizer:
        """Learn the source.

        Args:
            paths: {table: folder or catalog name}.
            options: those of ``StagedOrchestrator.fit_all``: sample_rows, max_seconds, epochs, seed, and the model's.
        """
        self._orchestrator.fit_all(paths, min_subjects=self.privacy.min_subjects, **options)
        return self

    def sample(
        self,
        scale: float = 1.0,
        num_rows: Mapping[str, int] | None = None,
        output_path: str | None = None,
        seed: int = 1,
    ) -> dict[str, DataFrame]:
        """Generate every table.

        Args:
            scale: multiplies the rows of root tables.
            num_rows: {root table: rows}, instead of the scale.
            output_path: the target's folder; children then read their parents from it.
            seed: the generation seed.

        Returns:
            {table: DataFrame}, read from the target, or persisted if there is none.

        Raises:
            ConfigError: less than one row is wanted of a table, or the target is the source.
        """
        if not 0 < scale < math.inf:
            raise ConfigError(f"scale={scale} is no multiple of a table's rows; give a number above 0")
        roots = scaled_rows(self._trained.plans, scale)
        made = self._orchestrator.generate({**roots, **(num_rows or {})}, output_path, seed=seed)
        if output_path is None:
            return made
        target = Location(path=output_path)
        return {t: self._orchestrator.io.read_dataset(target.table(t)) for t in self.metadata.tables}

    def evaluate(self, synthetic: Mapping[str, DataFrame]) -> Evaluation:
        """Compare synthetic tables with the source that was learnt."""
        real = {t: self._trained.copies(t) for t in self.metadata.tables}
        return evaluate(self.metadata, real, synthetic, self._trained.plans, self.privacy.min_subjects)

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
        model: type[ConditionalGenerativeModel] | str = CTGAN,
        metadata: Metadata | None = None,
    ) -> Synthesizer:
        """Read what ``save`` wrote. Tables declared ``reference`` need a new ``fit``: their rows were not saved.

        Args:
            path: the folder of ``save``.
            spark: the session; the active one by default.
            model: the class that was fitted, or its name.
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
            result = cls(saved, spark, model)
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


def _restored(folder: Path, state: Mapping[str, Any], saved: Metadata, own: Metadata | None) -> Trained:
    """Plans and models of a saved synthesizer, each checked."""
    tables, hashes = {*saved.tables}, dict(state["models"])
    if not tables == {*state["plans"]} or not {*hashes} == {*state["matching"]} <= tables:
        raise ValueError("metadata, plans and models are of different tables")
    declared = own.expressions if own is not None else frozenset()
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
