"""Golden query plans: what each kind of stage shuffles and joins where no table is small enough to broadcast."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.generation.stage import stage_frame
from synthohive_spark.generation.stage_input import StageInput
from synthohive_spark.generation.stage_plan import plan_stage
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.lake.source import check_source, pin_source
from synthohive_spark.location import TableRef
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.profiling.plan_tables import plan_tables
from synthohive_spark.session import settings

from ..lakes import write_lake
from ..shuffle import ColumnShuffle

pytestmark = pytest.mark.spark
GOLDEN = Path(__file__).parent / "golden"
KEPT = (
    "Exchange",
    "Join",
    "Window",
    "Sort",
    "Aggregate",
    "Python",
    "Pandas",
    "MapInArrow",
    "Generate",
    "Union",
    "Scan",
    "Range",
)
METADATA = Metadata()
METADATA.add_table("users", pk="id")
METADATA.add_table("shops", pk="id")
METADATA.add_table("orders", pk="id", fk={"user_id": "users.id"})
METADATA.add_table("lines", pk="id", fk={"order_id": "orders.id"}, parent_context_cols=["amount"])
METADATA.add_table("visits", pk="id", fk={"user_id": "users.id", "shop_id": "shops.id"})
METADATA.add_table("members", pk=["user_id", "shop_id"], fk={"user_id": "users.id", "shop_id": "shops.id"})


@pytest.fixture(scope="module")
def plans(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    users = [(i, "north" if i % 2 else "south") for i in range(30)]
    shops = [(i, i * 0.5) for i in range(10)]
    orders = [(i, i % 30, float(i)) for i in range(90)]
    paths = write_lake(
        spark,
        tmp_path_factory.mktemp("plans"),
        {
            "users": ("id bigint not null, region string", users),
            "shops": ("id bigint not null, size double", shops),
            "orders": ("id bigint not null, user_id bigint not null, amount double", orders),
            "lines": ("id bigint not null, order_id bigint not null, n int", [(i, i % 90, i % 5) for i in range(180)]),
            "visits": (
                "id bigint not null, user_id bigint not null, shop_id bigint not null, stars int",
                [(i, i % 30, i % 10, i % 5) for i in range(60)],
            ),
            "members": (
                "user_id bigint not null, shop_id bigint not null, since int",
                [(i % 30, (i // 30 + i) % 10, i % 4) for i in range(60)],
            ),
        },
    )
    read, refs = DeltaIO(spark).read_dataset, {t: TableRef.parse(p) for t, p in paths.items()}
    planned = plan_tables(check_source(pin_source(DeltaIO(spark), METADATA, refs)), 5)
    sizes = {t: p.rows for t, p in planned.items()}
    frames = {}
    large = {"spark.sql.autoBroadcastJoinThreshold": "-1", "spark.sql.shuffle.partitions": "2"}
    with settings(spark, large), pytest.MonkeyPatch.context() as patched:
        patched.setattr("synthohive_spark.generation.stage.FAMILY_SLICE", 1)  # few rows are made in more than one task
        for table, plan in planned.items():
            wanted = plan.rows if plan.keys.driving is None else None
            stage = plan_stage(StageInput(spark, plan, planned, lambda t: read(paths[t]), sizes, wanted, 1))
            learnt = Artifact(b"what it learnt changes no plan") if plan.learns else Artifact()
            frame = stage_frame(stage, ColumnShuffle, learnt)
            frames[table] = operators(frame)
    return frames


def operators(frame: DataFrame) -> str:
    """The operators of the physical plan as a tree: exchanges with their kind, without names, numbers and widths."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        frame.explain("simple")
    text = out.getvalue()
    lines = []
    for line in text.splitlines():
        found = re.match(r"(?P<tree>[\s:+\-|*]*)(\(\d+\) )?(?P<name>[A-Za-z]+)(?P<rest>.*)", line)
        if found is None or not any(k in found["name"] for k in KEPT):
            continue
        depth = len(found["tree"]) // 3
        kind = re.search(r"(hashpartitioning\([^)]*\)|SinglePartition|rangepartitioning|RoundRobin\w*)", found["rest"])
        how = re.search(r"\b(Inner|LeftOuter|LeftSemi|LeftAnti)\b", found["rest"]) if "Join" in found["name"] else None
        by_user = " REPARTITION_BY_NUM" if "REPARTITION_BY_NUM" in found["rest"] else ""
        shown = re.sub(r"#\d+L?", "", kind[1]) if kind else (how[1] if how else "")
        lines.append((depth, f"{found['name']} {shown}{by_user}".rstrip()))
    shown_depths = sorted({d for d, _ in lines})
    return "".join(f"{' ' * shown_depths.index(d)}{name}\n" for d, name in lines)


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("users", "root"),
        ("orders", "children"),
        ("lines", "grandchildren_with_context"),
        ("visits", "children_with_a_second_parent"),
        ("members", "link_table"),
    ],
)
def test_the_plan_of_a_stage_is_the_golden_one(plans: dict[str, str], table: str, kind: str) -> None:
    file = GOLDEN / f"{kind}.txt"
    if not file.exists():  # to renew it: delete the file, run, look at the difference
        file.write_text(plans[table])
        pytest.fail(f"{file} was missing and has been written; look at it and run again")
    assert plans[table] == file.read_text()


def test_a_root_shuffles_its_blocks_once_and_joins_nothing_by_shuffle(plans: dict[str, str]) -> None:
    assert "SortMergeJoin" not in plans["users"]


def test_children_of_one_parent_join_no_table_by_shuffle(plans: dict[str, str]) -> None:
    assert "SortMergeJoin" not in plans["orders"]
    assert plans["orders"].count("hashpartitioning(block, slice, 2) REPARTITION_BY_NUM") == 1
