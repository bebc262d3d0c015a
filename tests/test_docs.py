"""README and docs name only what is there: files, commands, options, keys of the configuration."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from synthohive_spark import cli
from synthohive_spark.config import Evaluate, Generate, Privacy, Train

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    named = set(re.findall(r"(?<![\w/`-])synthohive-[a-z]+(?= --| DIR| shop)", text))
    assert named <= set(scripts)
    assert all(hasattr(cli, target.partition(":")[2]) for target in scripts.values())
    assert all((ROOT / path).is_file() for path in re.findall(r"(?<![\w/])jobs/[a-z]+\.py", text))


def test_the_readme_says_the_rows_of_the_example() -> None:
    from synthohive_spark.example import example_tables

    rows = sum(len(t) for t in example_tables().values())
    assert f"({round(rows, -2):,} rows)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_reference_names_every_key_of_the_configuration() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = [k for group in (Train, Generate, Privacy, Evaluate) for k in group.model_fields if f"`{k}`" not in text]
    assert missing == []


def test_messages_that_troubleshooting_explains_are_those_of_the_code(root: Path) -> None:
    page = (root / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    code = "".join(p.read_text(encoding="utf-8") for p in sorted((root / "synthohive_spark").rglob("*.py")))
    said = re.sub(r'"\s*f?"', "", code)  # a message over several lines is one text
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    parts = [part.strip(" ;:") for row in rows for span in re.findall(r"`([^`]+)`", row) for part in span.split("…")]
    assert len(parts) > 15
    assert [part for part in parts if part and part not in said] == []
