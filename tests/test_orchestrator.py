"""Stages in the lake and in memory, and what happens when a write fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark import logs
from synthohive_spark import orchestrator as module
from synthohive_spark.errors import ConfigError, TrainingError, WriteError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location, TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.ctgan.model import CTGAN
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.stage_writer import Trained

from .lakes import children, content, fitted, key_faults, write_lake
from .shuffle import ColumnShuffle

METADATA = Metadata()
METADATA.add_table("users", pk="id")
METADATA.add_table("orders", pk="order_id", fk={"user_id": "users.id"})
METADATA.add_table("lines", pk="line_id", fk={"order_id": "orders.order_id"})
# Copied tables are written by the same code and need no generation: what the failure policies are tried on.
COPIED = Metadata({name: table.model_copy(update={"reference": True}) for name, table in METADATA.tables.items()})
ORDERS_OF = [0, 1, 1, 2, 5]  # orders of user i % 5


class Spy:
    """A writer around DeltaIO that keeps a diary and can be told to fail."""

    def __init__(
        self, spark: SparkSession, fail: Callable[[str, int], str | None] = lambda table, attempt: None
    ) -> None:
        self.inner, self.fail = DeltaIO(spark), fail
        self.diary: list[tuple[str, str]] = []

    def read_dataset(self, place: TableRef, version: int | None = None) -> DataFrame:
        self.diary.append(("read", str(place.path)))
        return self.inner.read_dataset(place, version)

    def write_dataset(self, frame: DataFrame, place: TableRef, **options: Any) -> tuple[int, int]:
        self.diary.append(("write", str(place.path)))
        how = self.fail(Path(str(place.path)).name, self.diary.count(("write", str(place.path))))
        if how == "before":
            raise OSError("the disk is full")
        if how == "in a task":
            frame = frame.withColumn(frame.columns[0], F.raise_error(F.lit("the disk is full")).cast("bigint"))
        written = self.inner.write_dataset(frame, place, **options)
        if how == "after":
            raise OSError("the connection was lost")
        return written

    def version(self, place: TableRef) -> int | None:
        return self.inner.version(place)

    def restore(self, place: TableRef, version: int) -> None:
        self.diary.append(("restore", str(place.path)))
        self.inner.restore(place, version)

    def drop(self, place: TableRef) -> None:
        self.diary.append(("drop", str(place.path)))
        self.inner.drop(place)


def once(table: str, how: str) -> Callable[[str, int], str | None]:
    return lambda name, attempt: how if name == table and attempt == 1 else None


def always(table: str, how: str) -> Callable[[str, int], str | None]:
    return lambda name, attempt: how if name == table else None


@pytest.fixture(scope="module")
def paths(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    rng = np.random.default_rng(0)
    users = [(i, "north" if i % 2 else "south") for i in range(1, 51)]
    owners = [u for u, _ in users for _ in range(ORDERS_OF[u % 5])]
    orders = [(1000 + i, u, float(rng.normal())) for i, u in enumerate(owners)]
    lines = [(i, o, int(rng.integers(1, 9))) for i, o in enumerate([o for o, _, _ in orders for _ in range(2)])]
    return write_lake(
        spark,
        tmp_path_factory.mktemp("source"),
        {
            "users": ("id bigint not null, region string", users),
            "orders": ("order_id bigint not null, user_id bigint not null, amount double", orders),
            "lines": ("line_id bigint not null, order_id bigint not null, quantity int", lines),
        },
    )


@pytest.fixture(scope="module")
def trained(spark: SparkSession, paths: dict[str, str]) -> Trained:
    made = fitted(spark, METADATA, paths).trained
    assert made is not None
    return made


@pytest.fixture(scope="module")
def copied(spark: SparkSession, paths: dict[str, str]) -> Trained:
    made = fitted(spark, COPIED, paths).trained
    assert made is not None
    return made


@pytest.fixture
def copier(spark: SparkSession, copied: Trained) -> Callable[..., StagedOrchestrator]:
    """Orchestrators whose stages copy their tables."""

    def build(io: Any = None, policy: str = "raise", **options: Any) -> StagedOrchestrator:
        made = StagedOrchestrator(COPIED, spark, io or Spy(spark), policy, ColumnShuffle, **options)
        made.trained = copied
        return made

    return build


@pytest.fixture
def maker(spark: SparkSession, trained: Trained) -> Callable[..., StagedOrchestrator]:
    """Orchestrators whose stages generate."""

    def build(io: Any = None, policy: str = "raise") -> StagedOrchestrator:
        made = StagedOrchestrator(METADATA, spark, io or Spy(spark), policy, ColumnShuffle)
        made.trained = trained
        return made

    return build


@pytest.fixture
def events() -> Iterator[list[Any]]:
    logs.configure("DEBUG")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines
    structlog.reset_defaults()


def tables(spark: SparkSession, folder: Path) -> dict[str, DataFrame]:
    return {t: DeltaIO(spark).read_dataset(str(folder / t)) for t in METADATA.tables}


def operations(spark: SparkSession, place: Path) -> list[str]:
    history = spark.sql(f"DESCRIBE HISTORY delta.`{place}`").orderBy("version").collect()
    return [r["operation"] for r in history]


@pytest.mark.parametrize("wrong", ["ignore", "RAISE", "", None])
def test_an_unknown_policy_is_refused_before_any_session(monkeypatch: pytest.MonkeyPatch, wrong: Any) -> None:
    monkeypatch.setattr(module, "get_session", lambda name: pytest.fail("a session was started"))
    with pytest.raises(ConfigError, match=r"on_write_failure=.* raise, cleanup, retry"):
        StagedOrchestrator(METADATA, on_write_failure=wrong)


def test_an_orchestrator_is_made_without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "get_session", lambda name: pytest.fail("a session was started"))
    made = StagedOrchestrator(METADATA)
    assert made.on_write_failure == "raise"
    assert made.model_cls is CTGAN
    with pytest.raises(TrainingError, match="call fit_all before generate"):
        made.generate({"users": 3})
    with pytest.raises(
        ConfigError, match=r"fit: give a Spark or pandas DataFrame, .*\n  - orders: is missing\n  - lines: is missing"
    ):
        made.fit_all({"users": "/nowhere/users"})


@pytest.mark.parametrize("wrong", [object, "ctgan", ColumnShuffle(), None])
def test_a_class_that_is_no_model_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(TypeError, match="ConditionalGenerativeModel"):
        StagedOrchestrator(METADATA, model_cls=wrong)


@pytest.mark.spark
def test_stages_go_through_the_lake_and_are_released(
    spark: SparkSession, maker: Callable[..., StagedOrchestrator], tmp_path: Path, events: list[Any]
) -> None:
    spark.catalog.clearCache()  # what other tests of this session left there
    spy = Spy(spark)
    assert maker(spy).generate({"users": 50}, str(tmp_path)) == {}
    users, orders, lines = (str(tmp_path / t) for t in METADATA.tables)
    assert [d for d in spy.diary if d[0] == "write"] == [("write", users), ("write", orders), ("write", lines)]
    reads = {path for what, path in spy.diary if what == "read"}
    assert {users, orders} <= reads, "children read their parents from the lake"
    assert spy.diary.index(("read", users)) > spy.diary.index(("write", users))
    released = [(e["log_level"], e["table"]) for e in events if e["event"] == "table_released_from_memory"]
    assert released == [("debug", "users"), ("debug", "orders"), ("debug", "lines")]
    assert [e["event"] for e in events if e["event"].startswith("stage_")] == ["stage_start", "stage_written"] * 3
    assert spark._jsparkSession.sharedState().cacheManager().isEmpty(), "nothing is kept in memory"
    made = tables(spark, tmp_path)
    assert key_faults(METADATA, made) == []
    assert children(made["orders"], ["user_id"], 50) == {0: 10, 1: 20, 2: 10, 5: 10}
    assert children(made["lines"], ["order_id"], 90) == {2: 90}
    for table in METADATA.tables:
        assert operations(spark, tmp_path / table) == ["CREATE TABLE", "WRITE"], "one transaction holds all the rows"

    # without a place: the same rows, in memory, for the caller to release
    kept = maker().generate({"users": 50})
    try:
        assert list(kept) == ["users", "orders", "lines"]
        assert all(frame.is_cached for frame in kept.values())
        assert {t: content(f) for t, f in kept.items()} == {t: content(f) for t, f in made.items()}
    finally:
        for frame in kept.values():
            frame.unpersist()


@pytest.mark.spark
def test_an_unknown_table_takes_no_number_of_rows(maker: Callable[..., StagedOrchestrator]) -> None:
    with pytest.raises(ConfigError, match=r"unknown tables \['order'\]"):
        maker().generate({"order": 3})


@pytest.mark.spark
@pytest.mark.parametrize("how", [pytest.param("before", marks=pytest.mark.slow), "in a task"])
def test_raise_keeps_what_is_complete_and_goes_no_further(
    spark: SparkSession, copier: Callable[..., StagedOrchestrator], tmp_path: Path, how: str
) -> None:
    spy, complete, target = Spy(spark, always("orders", how)), [], Location(path=str(tmp_path))
    with pytest.raises(WriteError, match=r"the disk is full"):
        copier(spy).write_stages(target, {}, 1, written=lambda t, v, n: complete.append((t, n)))
    assert complete == [("users", 50)]
    assert DeltaIO(spark).read_dataset(str(tmp_path / "users")).count() == 50
    if how == "in a task":  # the empty table was created; no row of it is there
        assert operations(spark, tmp_path / "orders") == ["CREATE TABLE"]
    assert ("write", str(tmp_path / "lines")) not in spy.diary
    assert not (tmp_path / "lines").exists()
    # what is complete is not made again
    assert copier().write_stages(target, {}, 1, {"users": 50}) == {"users": 50, "orders": 90, "lines": 180}
    assert operations(spark, tmp_path / "users") == ["CREATE TABLE", "WRITE"]
    assert key_faults(METADATA, tables(spark, tmp_path)) == []


@pytest.mark.spark
@pytest.mark.parametrize("how", [pytest.param("before", marks=pytest.mark.slow), "in a task", "after"])
def test_retry_writes_the_rows_once(
    spark: SparkSession, copier: Callable[..., StagedOrchestrator], tmp_path: Path, how: str, events: list[Any]
) -> None:
    spy = Spy(spark, once("orders", how))
    copier(spy, "retry").generate({}, str(tmp_path))
    assert spy.diary.count(("write", str(tmp_path / "orders"))) == 2
    made = tables(spark, tmp_path)
    assert {t: f.count() for t, f in made.items()} == {"users": 50, "orders": 90, "lines": 180}
    assert key_faults(METADATA, made) == []
    warned = [e for e in events if e["event"] == "write_failed"]
    assert [(e["table"], e["attempt"], e["attempts"]) for e in warned] == [("orders", 1, 2)]


@pytest.mark.spark
def test_retry_gives_up_in_the_end(
    spark: SparkSession, copier: Callable[..., StagedOrchestrator], tmp_path: Path
) -> None:
    spy = Spy(spark, always("users", "before"))
    with pytest.raises(WriteError, match="users: the disk is full"):
        copier(spy, "retry", write_retries=2).generate({}, str(tmp_path))
    assert [d for d in spy.diary if d[0] == "write"] == [("write", str(tmp_path / "users"))] * 3


@pytest.mark.spark
@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=pytest.mark.slow) for how in ("before", "in a task")] + ["after"]
)
def test_cleanup_brings_the_target_back(
    spark: SparkSession, copier: Callable[..., StagedOrchestrator], tmp_path: Path, how: str
) -> None:
    io = DeltaIO(spark)
    old = spark.createDataFrame([(7, "kept")], "id bigint not null, other string comment 'of another shape'")
    io.write_dataset(old, str(tmp_path / "users"), properties={"team": "ours"})
    io.write_dataset(spark.range(3), str(tmp_path / "strangers"))
    (tmp_path / "notes.txt").write_text("not a table")
    with pytest.raises(WriteError):
        copier(Spy(spark, always("orders", how)), "cleanup").generate({}, str(tmp_path))
    back = io.read_dataset(str(tmp_path / "users"))
    assert [tuple(r) for r in back.collect()] == [(7, "kept")]
    assert back.schema == old.schema
    properties = spark.sql(f"SHOW TBLPROPERTIES delta.`{tmp_path}/users`").collect()
    assert {r["key"]: r["value"] for r in properties}.get("team") == "ours"
    assert not any(r["key"].startswith("synthohive.") for r in properties)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "strangers", "users"]
    assert io.version(str(tmp_path / "strangers")) == 1
    assert io.read_dataset(str(tmp_path / "strangers")).count() == 3


@pytest.mark.spark
def test_cleanup_follows_a_model_that_fails_on_the_executor(
    spark: SparkSession, trained: Trained, tmp_path: Path
) -> None:
    made = StagedOrchestrator(METADATA, spark, None, "cleanup", ColumnShuffle)
    made.trained = Trained(trained.plans, {**trained.artifacts, "orders": Artifact(b"not a model")}, trained.copies)
    with pytest.raises(WriteError, match="the packed model is damaged"):
        made.generate({"users": 20}, str(tmp_path / "target"))
    assert not list((tmp_path / "target").iterdir())


@pytest.mark.spark
def test_lineage_is_in_properties_and_commit(
    spark: SparkSession, copier: Callable[..., StagedOrchestrator], tmp_path: Path
) -> None:
    copier(DeltaIO(spark)).generate({}, str(tmp_path))
    for table in METADATA.tables:
        shown = spark.sql(f"SHOW TBLPROPERTIES delta.`{tmp_path / table}`").collect()
        properties = {r["key"]: r["value"] for r in shown}
        assert properties["synthohive.model"] == "ColumnShuffle"
        assert json.loads(properties["synthohive.source_versions"]) == dict.fromkeys(METADATA.tables, 1)
        last = spark.sql(f"DESCRIBE HISTORY delta.`{tmp_path / table}`").orderBy(F.desc("version")).first()
        assert last is not None
        assert json.loads(last["userMetadata"])["model"] == "ColumnShuffle"


@pytest.mark.spark
def test_a_link_table_says_how_many_rows_found_no_pair(spark: SparkSession, tmp_path: Path, events: list[Any]) -> None:
    """Every track is on every list; of two lists and two tracks there are four pairs, whichever key is followed."""
    metadata = Metadata()
    metadata.add_table("lists", pk="id")
    metadata.add_table("tracks", pk="id")
    metadata.add_table("links", pk=["list", "track"], fk={"list": "lists.id", "track": "tracks.id"})
    ids: list[tuple[object, ...]] = [(i,) for i in range(12)]
    pairs: list[tuple[object, ...]] = [(i, k) for i in range(12) for k in range(12)]
    one, both = "id bigint not null", "list bigint not null, track bigint not null"
    paths = write_lake(spark, tmp_path / "source", {"lists": (one, ids), "tracks": (one, ids), "links": (both, pairs)})
    made = fitted(spark, metadata, paths)
    made.write_stages(Location(path=str(tmp_path / "whole")), made.wanted_rows({}), seed=1)
    assert not [e for e in events if e["event"] == "rows_left_out"]
    rows = made.write_stages(Location(path=str(tmp_path / "few")), made.wanted_rows({"lists": 2, "tracks": 2}), seed=1)
    assert rows["links"] == 4
    (left,) = [e for e in events if e["event"] == "rows_left_out"]
    assert (left["log_level"], left["table"], left["rows"], left["wanted"]) == ("warning", "links", 4, 24)
