"""The house: which layer may import which, no circles, nothing too long, every public name documented. No Spark."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "synthohive_spark"
# From the ground up: a module imports from its own layer and from those below it (docs/architecture.md).
LAYERS = (
    (
        "errors",
        "interrupts",
        "strict",
        "typenames",
        "randomness",
        "masking",
        "memory",
        "nested",
        "parallel",
        "worker",
        "logs",
        "sql",
        "sql_grammar",
        "untrusted",
        "yaml_files",
    ),
    ("location", "personal", "tables", "graph", "metadata"),
    ("launch", "session"),
    ("lake", "config"),
    ("privacy",),
    ("models",),
    ("counts",),
    ("schema",),
    ("matching", "rules"),
    ("profiling",),
    ("training",),
    ("generation",),
    ("registry", "manifest", "lease", "stage_writer", "orchestrator", "conditional"),
    ("evaluation",),
    ("tracking", "single_run", "pipeline", "synthesizer", "forecast"),
    ("ingest", "draft", "example"),
    ("cli",),
)
FILE, FUNCTION, CLASS, ARGUMENTS, MANY = 400, 60, 250, 5, 25


def modules() -> dict[str, ast.Module]:
    """{dotted name below the package: its code}."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imports(name: str) -> set[str]:
    """Modules of the package that a module imports, also where only a type checker does, or inside a function."""
    found = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            base = (node.module or "")[len(PACKAGE) + 1 :]
            found |= {m if (m := f"{base}.{a.name}".lstrip(".")) in MODULES else base for a in node.names}
    return found - {name, ""}


def layer(name: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if name.split(".")[0] in names)


def test_no_import_runs_back_up() -> None:
    upward = [f"{m} -> {i}" for m in MODULES if m for i in imports(m) if layer(i) > layer(m)]
    assert upward == []


def test_no_circle() -> None:
    try:
        list(TopologicalSorter({m: imports(m) for m in MODULES if m}).static_order())
    except CycleError as e:
        pytest.fail(f"a circle of imports: {' -> '.join(e.args[1])}")


def test_nothing_is_too_long_to_be_read() -> None:
    long = []
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        sizes = [(len(text.splitlines()), FILE, path.name)]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                most = CLASS if isinstance(node, ast.ClassDef) else FUNCTION
                sizes.append(((node.end_lineno or 0) - node.lineno + 1, most, f"{path.name}: {node.name}"))
        long += [f"{name} has {lines} lines, at most {most}" for lines, most, name in sizes if lines > most]
    assert long == []


def test_few_functions_take_many_arguments() -> None:
    many = []
    for name, code in MODULES.items():
        for node in ast.walk(code):
            if isinstance(node, ast.FunctionDef):
                every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                if len([a for a in every if a.arg not in ("self", "cls")]) > ARGUMENTS:
                    many.append(f"{name}.{node.name}")
    assert len(many) <= MANY, many


def test_no_checker_is_silenced() -> None:
    marks = ("type: ignore", "noqa", "pragma: no cover")
    files = sorted((ROOT / PACKAGE).rglob("*.py"))
    assert [p.name for p in files if any(m in p.read_text(encoding="utf-8") for m in marks)] == []


def test_every_public_name_is_documented() -> None:
    bare = []
    for name, code in MODULES.items():
        nodes: list[tuple[str, ast.AST]] = [(name, code)]
        while nodes:
            where, node = nodes.pop()
            private = where.rpartition(".")[2].startswith("_")
            if not private and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                if ast.get_docstring(node) is None:
                    bare.append(where or PACKAGE)
                if not isinstance(node, ast.FunctionDef):
                    inner = (n for n in node.body if isinstance(n, ast.ClassDef | ast.FunctionDef))
                    nodes += [(f"{where}.{n.name}", n) for n in inner]
    assert bare == []


def test_no_two_modules_share_a_public_name() -> None:
    """A reader who finds a name knows which one it is. Functions that each column kind has are one contract."""
    contract = {"analyze", "reduce", "encode", "decode", "main"}
    seen: dict[str, list[str]] = {}
    for name, code in MODULES.items():
        for node in code.body if name != "cli" else ():  # its names are those of the commands
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                seen.setdefault(node.name, []).append(name)
    assert {n: where for n, where in seen.items() if len(where) > 1 and n not in contract} == {}


def test_the_plan_of_a_table_is_known_by_few() -> None:
    """Whoever needs a part of it takes that part: keys, columns, context or rules."""
    users = [
        m
        for m in MODULES
        if "TablePlan" in {a.name for n in ast.walk(MODULES[m]) if isinstance(n, ast.ImportFrom) for a in n.names}
    ]
    assert len(users) < 12, users
