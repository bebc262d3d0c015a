"""The configuration of a run: one YAML file, overridden by ``--set a.b=value``, resolved before any work starts."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from synthohive_spark.errors import ConfigError
from synthohive_spark.lake.places import place_problems, table_problems, tables_of_run
from synthohive_spark.location import Location, name_problem, path_problem
from synthohive_spark.logs import get_logger
from synthohive_spark.metadata import Metadata, actions_in
from synthohive_spark.personal import KINDS, Action, functions_of
from synthohive_spark.strict import Strict, nearest, problems
from synthohive_spark.yaml_files import yaml_file, yaml_value

log = get_logger(__name__)
FIGURES = ("columns", "pairs", "relations", "c2st")  # of the evaluation
MOST_ROWS = 2**53  # of a table: beyond that a share of them is no whole number any more
NAME_LENGTH = 100  # of a run: its id names files, which have 255 characters at most
Attack = Literal["identical", "dcr", "membership", "singling_out", "linkability"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0, lt=2**31)]  # what Spark and numpy count with
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Place(Strict):
    """Where tables lie: a folder of Delta tables, or a schema of the catalog."""

    path: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _one_of_two(self) -> Place:
        if (self.path is None) == (self.schema_name is None):
            raise ValueError("give either path or schema")
        problem = None if self.path is None else path_problem(self.path)
        if problem:
            raise ValueError(f"path {problem}")
        parts = [] if self.schema_name is None else self.schema_name.split(".")
        if len(parts) > 2 or not all(part.strip() for part in parts):
            raise ValueError(f"schema {self.schema_name!r} is no name of one or two parts, such as catalog.schema")
        return self

    @property
    def location(self) -> Location:
        """The place as the lake reads it."""
        return Location(path=self.path, schema_name=self.schema_name)


class Source(Place):
    """The source lake; a version per table, or one timestamp for all, may be pinned."""

    versions: dict[str, Annotated[int, Field(ge=0, lt=2**63)]] = {}
    timestamp: str | None = None

    @field_validator("timestamp", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        """YAML reads a bare date as one; a text has to be one that Spark and Python read alike."""
        if isinstance(value, dt.date):
            return value.isoformat()
        if isinstance(value, str):
            zoned = re.sub(r"[zZ]$", "+00:00", value.strip())
            try:
                return dt.datetime.fromisoformat(zoned).isoformat()
            except ValueError as e:
                raise ValueError("it is no moment; write 2026-11-30 or 2026-11-30T09:00:00+00:00") from e
        return value


class Train(Strict):
    """How models are trained."""

    model: str = "ctgan"
    sample_rows: Count = 200_000
    max_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    epochs: Count | None = None
    seed: Seed = 1
    gpu: Literal["auto", "never", "require"] = "auto"
    parallelism: Count | None = Field(default=None, description="tables side by side; as many as slots if unset")
    options: dict[str, Any] = Field(default={}, description="further arguments of the model's constructor")


class Generate(Strict):
    """How many rows are generated and how they are written."""

    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    rows: dict[str, Annotated[int, Field(ge=1, le=MOST_ROWS)]] = {}
    seed: Seed = 1
    linkage: Literal["empirical", "negbinom", "conditional"] = "conditional"
    on_write_failure: Literal["raise", "cleanup", "retry"] = "raise"
    write_retries: Count = 1
    conditions: dict[str, dict[str, Any]] = Field(
        default={}, description="{root table: {column: value, or list of values}} that every row of it fulfils"
    )


class Privacy(Strict):
    """What protects the people behind the rows.

    Attributes:
        k: people who must hold a value before it may be learnt or written; ``min_subjects`` is its older name.
        keep_comments: the copy has the comments of the source, which may hold personal text.
        secret: where the key of hashes is: ``env:NAME``, or the path of a file.
        actions: what is done with personal data, by kind, column or table.column.
        fail_over: the most by which an attack may surely do better than its control, or {attack: most}; see
            ``evaluate.holdout``.
    """

    k: Count = 5
    keep_comments: bool = False
    secret: str | None = Field(
        default=None, description="where the key of hashes is: env:NAME or the path of a file; never the key itself"
    )
    actions: dict[str, Action] = Field(
        default={}, description="what is done with personal data, by kind, column or table.column"
    )
    fail_over: Share | dict[Literal["identical", "dcr", "membership", "singling_out", "linkability"], Share] | None = (
        None
    )

    @model_validator(mode="before")
    @classmethod
    def _older_name(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "min_subjects" not in raw:
            return raw
        if "k" in raw:
            raise ValueError("min_subjects is the older name of k; give k alone")
        log.warning("older_name", key="privacy.min_subjects", use="privacy.k")
        return {"k": raw["min_subjects"], **{key: value for key, value in raw.items() if key != "min_subjects"}}


class Evaluate(Strict):
    """The quality gate: the least of each of the four figures, or {figure: least} for some of them."""

    fail_under: Share | dict[str, Share] = 0.8
    holdout: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0, description="share of the people who are kept out of training, for the audit of what a copy tells"
    )
    reports: str | None = Field(
        default=None, description="folder of the reports; beside the workspace's tables if unset"
    )

    @model_validator(mode="after")
    def _known_figures(self) -> Evaluate:
        unknown = sorted({*self.fail_under} - {*FIGURES}) if isinstance(self.fail_under, dict) else []
        if unknown:
            raise ValueError(f"fail_under names {unknown}; the figures are {', '.join(FIGURES)}")
        return self


class Tracking(Strict):
    """A store of MLflow that is told of evaluated runs."""

    tracking_uri: Annotated[str, Field(min_length=1)]
    experiment: Annotated[str, Field(min_length=1)] = "synthohive"


class Config(Strict):
    """A run, resolved: every default filled in, the metadata loaded and checked for form."""

    run: str = "synthohive"
    source: Source
    target: Place
    workspace: Place
    metadata: Any
    train: Train = Train()
    generate: Generate = Generate()
    privacy: Privacy = Privacy()
    evaluate: Evaluate = Evaluate()
    mlflow: Tracking | None = None

    @model_validator(mode="after")
    def _attackable(self) -> Config:
        if self.privacy.fail_over is not None and not self.evaluate.holdout:
            raise ValueError("privacy.fail_over needs people kept out of training; set evaluate.holdout, to 0.2 say")
        return self

    @field_validator("run")
    @classmethod
    def _names_files(cls, value: str) -> str:
        problem = name_problem(value) or ("is too long" if len(value) > NAME_LENGTH else None)
        if problem or not value.isprintable():
            raise ValueError(f"the name {problem or 'holds a character that cannot be printed'}; reports are named so")
        return value

    @property
    def places(self) -> dict[str, Location]:
        """Where the run reads and writes, by what for."""
        named = {"source": self.source, "target": self.target, "workspace": self.workspace}
        return {name: place.location for name, place in named.items()}

    @property
    def declared(self) -> frozenset[str]:
        """What a plan may have run or read, as the user says so: Spark SQL, functions, the place of the key."""
        functions = functions_of([*self.privacy.actions.values(), *actions_in(self.metadata)])
        secret = {self.privacy.secret} if self.privacy.secret else set()
        return frozenset(self.metadata.expressions | functions | secret)

    @property
    def shaping(self) -> dict[str, Any]:
        """All that may influence a row: not the run's name, nor any path. Of each table's metadata, its hash."""
        metadata: dict[str, Any] = json.loads(self.metadata.to_json())
        generate = {"scale", "rows", "seed", "linkage", "conditions"}
        return {
            "train": self.train.model_dump(mode="json", exclude={"parallelism", "gpu"}),
            "generate": self.generate.model_dump(mode="json", include=generate),
            "privacy": self.privacy.model_dump(mode="json", exclude={"fail_over"}),
            "holdout": self.evaluate.holdout,
            "subject": metadata.get("subject"),
            "metadata": {t: _hashed(spec) for t, spec in metadata["tables"].items()},
        }

    @property
    def digest(self) -> str:
        """Hash of ``shaping``."""
        return _hashed(self.shaping)


def _hashed(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def new_run_id(name: str) -> str:
    """An id for a run of that name: when it began, and six digits so that two do not meet."""
    return f"{name}-{dt.datetime.now(dt.timezone.utc):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


def load_config(path: str | Path, overrides: Sequence[str] = (), *, metadata_required: bool = True) -> Config:
    """Read a configuration file, apply ``a.b=value`` overrides, load the metadata it names.

    Args:
        path: the file.
        overrides: values that replace those of the file.
        metadata_required: False where the metadata is yet to be drafted: it may be absent, without tables, or a file
            that is not there yet, and its keys are not checked.

    Raises:
        ConfigError: with every problem of the configuration; an unknown key is answered with the nearest known one.
        SchemaError: the metadata file cannot be read or is malformed.
    """
    try:
        raw = yaml_file(path)
    except OSError as e:
        raise ConfigError(f"configuration {path}: {e.strerror}; give a file with --config") from e
    except ValueError as e:
        raise ConfigError(f"configuration {path}: {e}") from e
    if not isinstance(raw, dict):
        raise ConfigError(f"configuration {path}: a mapping is expected, with source, target, workspace, metadata")
    raw = {key: value for key, value in raw.items() if value is not None}  # a group whose lines are all comments
    for item in overrides:
        _override(raw, item)
    if not metadata_required:
        raw.setdefault("metadata", {"tables": {}})
    try:
        config = Config.model_validate(raw)
    except ValidationError as e:
        raise ConfigError("\n  - ".join([f"configuration {path}:", *problems(e, Config)])) from e
    if metadata_required:
        metadata = Metadata.load(config.metadata)
        metadata.validate_schema()
    elif isinstance(config.metadata, str) and not Path(config.metadata).exists():
        metadata = Metadata()
    else:
        metadata = Metadata.load(config.metadata)
    if metadata_required:
        _check_actions(path, config.privacy, metadata)
    unknown = sorted({*config.generate.rows, *config.source.versions} - set(metadata.tables))
    if unknown and (metadata_required or metadata.tables):
        raise ConfigError(f"configuration {path}: generate.rows or source.versions names unknown tables {unknown}")
    found = place_problems(config.places) or table_problems(tables_of_run(config.places, metadata.tables))
    found += [] if config.evaluate.reports is None else _reports_problems(config.evaluate.reports, config.places)
    if found:
        raise ConfigError("\n  - ".join([f"configuration {path}:", *found]))
    return config.model_copy(update={"metadata": metadata})


def _reports_problems(folder: str, places: Mapping[str, Location]) -> list[str]:
    """Reports lie neither among the rows that are read nor among those that are made."""
    if (problem := path_problem(folder)) is not None:
        return [f"evaluate.reports {problem}"]
    kept = {"evaluate.reports": Location(path=folder)}
    return [line for name in ("source", "target") for line in place_problems({name: places[name], **kept})]


def _check_actions(path: str | Path, privacy: Privacy, metadata: Metadata) -> None:
    """Refuse actions of what is neither a kind nor a column, as far as the metadata name the columns."""
    columns = [(name, {*t.columns, *t.pii, *t.key_columns}) for name, t in metadata.tables.items()]
    if not all(t.columns for t in metadata.tables.values()):
        return
    known = {*KINDS, *(c for _, each in columns for c in each), *(f"{t}.{c}" for t, each in columns for c in each)}
    wrong = [f"privacy.actions: {name!r} is neither a kind nor a column; {nearest(name, sorted(known))}"
             for name in privacy.actions if name not in known]  # fmt: skip
    if wrong:
        raise ConfigError("\n  - ".join([f"configuration {path}:", *wrong]))


def _override(raw: dict[str, Any], item: str) -> None:
    key, equals, value = item.partition("=")
    if not equals:
        raise ConfigError(f"--set {item}: the form is a.b=value")
    here: Any = raw
    *folders, last = key.split(".")
    for folder in folders:
        here = here.setdefault(folder, {})
        if not isinstance(here, Mapping):
            raise ConfigError(f"--set {item}: {folder} is a value, not a group of keys")
    try:
        here[last] = yaml_value(value)
    except ValueError as e:
        raise ConfigError(f"--set {item}: the value is not YAML; quote it, as in --set 'run=\"a: b\"'") from e
