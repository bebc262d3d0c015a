"""Tables of Iceberg as a source, with the packages and settings that the docs name."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.lakes import config_file

from .runs import ROOT, conf_words, environment, need_venv

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1200)]
MADE = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql("CREATE NAMESPACE ice.shop")
spark.sql("CREATE TABLE ice.shop.users USING iceberg AS SELECT id, id % 7 AS age FROM range(60)")
spark.sql("CREATE TABLE ice.shop.orders (id bigint, user_id bigint, sent struct<city: string, zip: int>) USING iceberg "
          "PARTITIONED BY (bucket(4, id))")
spark.sql("INSERT INTO ice.shop.orders SELECT id, id % 60, "
          "named_struct('city', concat('C', id % 3), 'zip', int(id % 5)) FROM range(180)")
"""
READ = """
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
rows = spark.read.format("delta").load(sys.argv[1] + "/orders")
users = spark.read.format("delta").load(sys.argv[1] + "/users")
lost = rows.join(users, rows.user_id == users.id, "leftanti").count()
print(rows.schema.simpleString(), rows.where("sent.city IN ('C0', 'C1', 'C2')").count(), lost)
"""
TABLES = {
    "users": {"primary_key": "id"},
    "orders": {
        "primary_key": "id",
        "foreign_keys": [{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"]}],
    },
}


def documented(folder: Path) -> list[str]:
    """The options for Iceberg, as docs/platforms.md has them, with another warehouse."""
    text = (ROOT / "docs" / "platforms.md").read_text()
    (block,) = re.findall(r"(?:^    .*\n)*^    .*iceberg-spark-runtime.*\n(?:^    .*\n)*", text, re.MULTILINE)
    words = block.replace("\\\n", " ").split()
    options = words[words.index("./spark-submit.sh") + 1 : words.index("jobs/pipeline.py")]
    return [re.sub(r"(warehouse)=.*", rf"\1={folder}/warehouse", word) for word in options]


def test_tables_of_iceberg_are_learnt(tmp_path: Path) -> None:
    need_venv()
    for name, text in {"made": MADE, "read": READ}.items():
        (tmp_path / f"{name}.py").write_text(text)
    config = config_file(
        tmp_path,
        TABLES,
        source={"path": None, "schema": "ice.shop"},
        evaluate={"fail_under": 0},
        train={"model": "autoregressive", "max_seconds": 5},
    )
    jobs = (
        [str(tmp_path / "made.py")],
        ["jobs/pipeline.py", "--config", str(config)],
        [str(tmp_path / "read.py"), str(tmp_path / "target")],
    )
    said = []
    for job in jobs:
        words = [str(ROOT / "spark-submit.sh"), *documented(tmp_path), *conf_words(), *job]
        done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment(), cwd=ROOT)
        assert done.returncode == 0, "\n".join([done.stdout, *done.stderr.splitlines()[-60:]])
        said.append((done.stdout.splitlines() or [""])[-1])
        if job[0] == "jobs/pipeline.py":
            assert done.stderr.count('"source_without_versions"') == len(TABLES)
    assert json.loads(said[1])["tables"] == {"users": 60, "orders": 180}
    assert said[2] == "struct<id:bigint,user_id:bigint,sent:struct<city:string,zip:int>> 180 0"
