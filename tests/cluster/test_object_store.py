"""Source, target, workspace and reports in an object store (s3a, on loopback), with the packages that the docs name."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from synthohive_spark.example import write_example

from .runs import ROOT, conf_words, environment, need_venv

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
LAKE = "s3a://lake"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """The address of a server that speaks S3, with a bucket of the name ``lake``."""
    packages = tmp_path / "packages"
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), "moto[server]"]
    subprocess.run(words, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = environment(PYTHONPATH=str(packages))
    with (tmp_path / "store.log").open("w") as log:
        words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(words, env=env, stdout=log, stderr=log)
        try:
            for _ in range(300):
                with socket.socket() as asked:
                    if asked.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            files(f"http://127.0.0.1:{port}").create_dir("lake")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def files(endpoint: str) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=KEYS["AWS_ACCESS_KEY_ID"],
        secret_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region=KEYS["AWS_REGION"],
        endpoint_override=endpoint,
        allow_bucket_creation=True,
    )


def documented() -> list[str]:
    """The options for s3a, as docs/platforms.md has them."""
    text = (ROOT / "docs" / "platforms.md").read_text()
    (block,) = re.findall(r"(?:^    .*\n)*^    .*org\.apache\.hadoop:hadoop-aws.*\n(?:^    .*\n)*", text, re.MULTILINE)
    words = block.replace("\\\n", " ").split()
    return words[words.index("./spark-submit.sh") + 1 : words.index("jobs/pipeline.py")]


def test_everything_lies_in_an_object_store(store: str, tmp_path: Path) -> None:
    need_venv()
    write_example(tmp_path / "shop")
    config = tmp_path / "shop" / "shop.yaml"
    env = environment(AWS_ENDPOINT_URL=store, **KEYS)
    options = [
        *documented(),
        *conf_words(spark__hadoop__fs__s3a__endpoint=store, spark__hadoop__fs__s3a__path__style__access="true"),
    ]
    places = {"source": "source", "target": "synthetic", "workspace": "workspace"}
    sets = [f"{name}.path={LAKE}/{folder}" for name, folder in places.items()]
    sets += [f"evaluate.reports={LAKE}/reports", "evaluate.fail_under=0", "train.max_seconds=5"]
    words = ["--config", str(config), *(w for s in sets for w in ("--set", s))]
    lines = []
    for job in (["jobs/ingest.py", *words, "--from", str(tmp_path / "shop" / "data")], ["jobs/pipeline.py", *words]):
        submit = [str(ROOT / "spark-submit.sh"), *options, *job]
        done = subprocess.run(submit, check=False, capture_output=True, text=True, env=env, cwd=ROOT)
        assert done.returncode == 0, "\n".join([done.stdout, *done.stderr.splitlines()[-60:]])
        lines.append(json.loads(done.stdout.splitlines()[-1]))
    made = lines[1]
    assert made["status"] == "complete"
    assert made["report"] == f"{LAKE}/reports/{made['run_id']}.html"
    found = [f.path for f in files(store).get_file_info(fs.FileSelector("lake", recursive=True))]
    for table in made["tables"]:
        assert any(f.startswith(f"lake/synthetic/{table}/_delta_log/") for f in found)
        assert any(f.startswith(f"lake/synthetic/{table}/part-") for f in found)
    assert any(f.startswith("lake/workspace/models/part-") for f in found)
    assert f"lake/reports/{made['run_id']}.html" in found
    assert not list((tmp_path / "shop").glob("lake*"))
