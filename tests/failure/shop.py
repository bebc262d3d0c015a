"""A shop of seven tables, and pipelines over it in processes of their own: what the slow tests of failures share."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from synthohive_spark.lake.content import content_hash
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.launch.lines import MARK, MARK_VARIABLE
from synthohive_spark.metadata import Metadata
from tests.cluster.runs import LEAN_CONF, environment
from tests.lakes import config_file, key_faults

ROOT = Path(__file__).parents[2]
PATIENCE = 900  # seconds that a run may take on a busy machine
QUICK_CONF = {  # dozens of short runs: to compile the code of each query takes longer than the query
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"  # C1 alone has 48 MB: too few


def key(column: str, parent: str) -> dict[str, Any]:
    return {"columns": [column], "references": parent, "referenced_columns": ["id"]}


TABLES: dict[str, Any] = {
    "regions": {"primary_key": "id", "reference": True},
    "customers": {"primary_key": "id", "foreign_keys": [key("region", "regions")]},
    "products": {"primary_key": "id"},
    "orders": {"primary_key": "id", "foreign_keys": [key("customer", "customers")]},
    "lines": {"primary_key": ["order", "nr"], "foreign_keys": [key("order", "orders"), key("product", "products")]},
    "payments": {"primary_key": "id", "foreign_keys": [key("order", "orders")]},
    "reviews": {"primary_key": "id", "foreign_keys": [key("customer", "customers"), key("product", "products")]},
}


def seven_tables() -> dict[str, Any]:
    """A shop of a few hundred rows."""
    rng = random.Random(4)
    orders = [(i, 1 + rng.randrange(60), float(rng.randrange(900)) / 4) for i in range(1, 181)]
    lines = [(o, n, 1 + rng.randrange(20), rng.randrange(1, 9)) for o, _, _ in orders for n in range(1 + o % 3)]
    return {
        "regions": ("id bigint not null, name string", [(i, f"R{i}") for i in range(1, 5)]),
        "customers": (
            "id bigint not null, region bigint not null, kind string",
            [(i, 1 + i % 4, rng.choice(["a", "b"])) for i in range(1, 61)],
        ),
        "products": ("id bigint not null, price double", [(i, rng.randrange(400) / 8) for i in range(1, 21)]),
        "orders": ("id bigint not null, customer bigint not null, weight double", orders),
        "lines": ("`order` bigint not null, nr int not null, product bigint not null, amount int", lines),
        "payments": (
            "id bigint not null, `order` bigint not null, paid double",
            [(i, 1 + rng.randrange(180), rng.random()) for i in range(1, 151)],
        ),
        "reviews": (
            "id bigint not null, customer bigint not null, product bigint not null, stars int",
            [(i, 1 + rng.randrange(60), 1 + rng.randrange(20), rng.randrange(1, 6)) for i in range(1, 91)],
        ),
    }


@dataclass
class Shop:
    """A source, and pipelines over it in processes of their own."""

    spark: SparkSession
    folder: Path
    model: str

    def start(self, name: str, master: str, *more: str) -> subprocess.Popen[str]:
        """A pipeline that writes to a target and a workspace of that name, as far as --set does not say otherwise."""
        (self.folder / name).mkdir(exist_ok=True)
        file = config_file(
            self.folder / name,
            TABLES,
            source={"path": str(self.folder / "source")},
            train={"model": self.model, "epochs": 2},
            evaluate={"fail_under": 0},
        )
        words = [sys.executable, str(ROOT / "jobs" / "pipeline.py"), "--config", file, "--master", master, *more]
        words += [w for k, v in {**LEAN_CONF, **QUICK_CONF}.items() for w in ("--conf", f"{k}={v}")]
        return subprocess.Popen(
            [*words, "--log-level", "DEBUG"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**{MARK_VARIABLE: MARK, "JAVA_TOOL_OPTIONS": QUICK_JAVA}),
            cwd=ROOT,
            start_new_session=True,
        )

    def hashes(self, name: str) -> dict[str, str]:
        io = DeltaIO(self.spark)
        return {t: content_hash(io.read_dataset(str(self.folder / name / "target" / t))) for t in TABLES}

    def faults(self, name: str) -> list[str]:
        io = DeltaIO(self.spark)
        metadata = Metadata.load({"tables": TABLES})
        return key_faults(metadata, {t: io.read_dataset(str(self.folder / name / "target" / t)) for t in TABLES})
