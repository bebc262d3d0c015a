from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from synthohive_spark.errors import ConfigError
from synthohive_spark.launch import delta, submit
from synthohive_spark.launch.archive import package_zip

JOB = ["jobs/pipeline.py", "--config", "c.yaml"]


def _command(*argv: str, **environ: str) -> tuple[list[str], dict[str, str]]:
    return submit.command([*argv, *JOB], {"PATH": os.environ["PATH"], **environ})


def _last_conf(words: list[str], key: str) -> str | None:
    values = [w.partition("=")[2] for w in words if w.startswith(f"{key}=")]
    return values[-1] if values else None


def test_without_master_the_run_is_local_and_retries() -> None:
    words, env = _command(SPARK_HOME="/elsewhere", PYSPARK_PYTHON="python3")
    assert words[words.index("--master") + 1] == "local[*,4]"
    assert words[-3:] == JOB
    assert _last_conf(words, "spark.sql.shuffle.partitions") == "8"
    assert _last_conf(words, "spark.sql.session.timeZone") == "UTC"
    _, _, logging = (_last_conf(words, "spark.driver.extraJavaOptions") or "").partition("=file://")
    assert Path(logging).is_file()
    assert env["PYSPARK_PYTHON"] == env["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert Path(env["SPARK_HOME"], "bin", "spark-submit").is_file()
    assert Path(env["JAVA_HOME"], "bin", "java").is_file()


@pytest.mark.parametrize("master", [["--master", "yarn"], ["--master=yarn"], ["--conf", "spark.master=yarn"]])
def test_with_master_there_are_no_local_defaults(master: list[str]) -> None:
    words, env = _command(*master, PYSPARK_PYTHON="/cluster/python")
    assert "local[*,4]" not in words
    assert _last_conf(words, "spark.sql.shuffle.partitions") is None
    assert _last_conf(words, "spark.driver.extraJavaOptions") is None
    assert _last_conf(words, "spark.sql.extensions") == delta.REQUIRED["spark.sql.extensions"]
    assert env["PYSPARK_PYTHON"] == "/cluster/python"
    assert "SPARK_LOCAL_IP" not in env


def test_the_users_own_options_come_later() -> None:
    words, _ = _command("--conf", "spark.sql.shuffle.partitions=3", "-c", "spark.jars.ivySettings=mine.xml")
    assert _last_conf(words, "spark.sql.shuffle.partitions") == "3"
    assert _last_conf(words, "spark.jars.ivySettings") == "mine.xml"
    assert _last_conf(words, "spark.driver.memory") == "4g"


def test_packages_and_py_files_are_joined_with_the_users() -> None:
    words, _ = _command("--packages", "org.example:a_2.13:1", "--py-files", "mine.zip")
    assert words.count("--packages") == words.count("--py-files") == 1
    delta_jars, own = words[words.index("--packages") + 1].split(",")
    assert delta_jars.startswith("io.delta:delta-spark_4.")
    assert own == "org.example:a_2.13:1"
    code, mine = words[words.index("--py-files") + 1].split(",")
    assert (Path(code).suffix, mine) == (".zip", "mine.zip")


@pytest.mark.parametrize(
    "own",
    [["--packages", "io.delta:delta-spark_4.1_2.13:4.4.0"], ["--jars", "/opt/delta-spark_4.1_2.13-4.2.0.jar"]],
)
def test_delta_jars_of_the_user_replace_ours(own: list[str]) -> None:
    words, _ = _command(*own)
    assert sum("delta-spark" in w for w in words) == 1
    assert own[1] in words


def test_cluster_deploy_mode_leaves_python_to_the_cluster() -> None:
    _, env = _command("--master", "yarn", "--deploy-mode", "cluster")
    assert "PYSPARK_DRIVER_PYTHON" not in env
    assert "PYSPARK_PYTHON" not in env


def test_spark_connect_needs_no_spark_submit() -> None:
    words, env = _command(SPARK_REMOTE="sc://host")
    assert words == [sys.executable, *JOB]
    assert env["SPARK_REMOTE"] == "sc://host"
    words, env = _command("--master", "local[1]", SPARK_REMOTE="sc://host")
    assert words[0].endswith("spark-submit")
    assert "SPARK_REMOTE" not in env


def test_an_unknown_spark_is_refused_with_the_known_ones() -> None:
    assert delta.coordinate("4.1.1") == "io.delta:delta-spark_4.1_2.13:4.2.0"
    with pytest.raises(ConfigError, match=r"4\.3\.0.*4\.0, 4\.1, 4\.2"):
        delta.coordinate("4.3.0")


def test_the_archive_is_reproducible_and_holds_the_package(tmp_path: Path) -> None:
    first, second = package_zip(tmp_path / "a"), package_zip(tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    names = zipfile.ZipFile(first).namelist()
    assert {"synthohive_spark/__init__.py", "synthohive_spark/cli.py", "synthohive_spark/py.typed"} <= set(names)
    assert not any("__pycache__" in name for name in names)


def test_a_job_that_cannot_start_has_its_json_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(argv: object, environ: object) -> None:
        raise ConfigError("no Java for Spark")

    monkeypatch.setattr(submit, "command", refuse)
    monkeypatch.setattr(sys, "argv", ["submit", *JOB])
    with pytest.raises(SystemExit) as left:
        submit.main()
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == "no Java for Spark"
    assert err == "error: no Java for Spark\n"


@pytest.mark.cluster
@pytest.mark.slow
def test_the_script_runs_a_job_from_another_folder_without_java_on_path(root: Path, tmp_path: Path) -> None:
    if not (root / ".venv" / "bin" / "python").exists():
        pytest.skip("this checkout has no .venv; make venv")
    job = tmp_path / "job.py"
    job.write_text(
        "import json, os, sys\n"
        "from pyspark.sql import SparkSession\n"
        "import synthohive_spark\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "spark.range(10).write.format('delta').save(sys.argv[1])\n"
        "def package(batches):\n"
        "    import synthohive_spark\n"
        "    for batch in batches:\n"
        "        yield batch.assign(file=synthohive_spark.__file__)\n"
        "seen = spark.read.format('delta').load(sys.argv[1]).mapInPandas(package, 'id long, file string')\n"
        "print(json.dumps({'rows': seen.count(), 'file': seen.first()['file'], 'java': os.environ['JAVA_HOME'],\n"
        "                  'shuffle': spark.conf.get('spark.sql.shuffle.partitions')}))\n"
        "sys.exit(3)\n"
    )
    done = subprocess.run(
        [root / "spark-submit.sh", "--conf", "spark.sql.shuffle.partitions=5", job.name, str(tmp_path / "table")],
        check=False,
        cwd=tmp_path,
        env={"HOME": os.environ.get("HOME", str(tmp_path)), "PATH": _path_without_java(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr  # the job's own exit code
    line = json.loads(done.stdout)  # nothing but the job's own line
    assert line["rows"] == 10
    assert ".zip" in line["file"]
    assert line["shuffle"] == "5"
    assert "synthohive-spark" in line["java"]


def _path_without_java(tmp_path: Path) -> str:
    """A folder with every program of PATH but java."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for program in Path(directory).glob("*") if Path(directory).is_dir() else ():
            link = folder / program.name
            if not program.name.startswith("java") and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def test_a_checkout_without_venv_says_what_to_do(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "spark-submit.sh"
    script.write_bytes((root / "spark-submit.sh").read_bytes())
    done = subprocess.run(["bash", script, "job.py"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "make venv" in done.stderr
    assert done.stdout == ""
