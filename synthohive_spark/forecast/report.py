"""What a run will do, table by table, as data and as text: roles, rules, what is masked and why, what to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from synthohive_spark.config import Config
from synthohive_spark.forecast.costs import Costs
from synthohive_spark.metadata import Metadata
from synthohive_spark.personal import in_short
from synthohive_spark.schema.columns import DECLARED, Role
from synthohive_spark.schema.table_plan import Plans

ROLES: dict[Role, str] = {
    "surrogate": "key, from the row's position",
    "unique": "without repetition, from the row's position",
    "sequence": "key, drawn without repetition within a family",
    "grid": "key, from the row's position",
    "foreign": "from a parent",
    "model": "learnt",
    "derived": "computed",
    "copied": "copied from a parent",
    "shape": "masked",
}
FEW_ROWS = 100  # of which a model learns little but the shares of columns
LONG_FAMILY = 10_000  # children of one parent: longer families are cut into slices
WRITTEN = {
    "fake": "personal, written as fakes",
    "mask": "personal, masked",
    "drop": "personal, left empty",
    "hash": "personal, written as hashes",
}


def described(plans: Plans, sizes: Mapping[str, int], metadata: Metadata, config: Config) -> dict[str, Any]:
    """{table: what is done with it}, for the JSON line."""
    return {t: _described(plans, t, sizes[t], metadata, config) for t in plans}


def warnings(plans: Plans) -> list[str]:
    """What a person should look at before the run, one line each."""
    return [line for table in plans for line in _warnings(plans, table)]


def in_words(tables: Mapping[str, Any], costs: Costs, found: list[str], config: Config) -> str:
    """The plan as a person reads it."""
    phases = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in costs.seconds.items())
    lines = [
        f"plan of {config.run}: about {costs.minutes:.1f} minutes on {costs.slots} slots ({phases})",
        f"memory about {costs.memory_mib / 1024:.1f} GB, driver and workers together",
    ]
    for table, told in tables.items():
        lines.append(f"\n{table}: {told['rows']:,} rows, {told['wanted']:,} wanted, {told['model']}")
        for role, columns in told["columns"].items():
            lines.append(f"  {role}: {', '.join(columns)}")
        lines += [f"  {c} is {p['kind']}, {p['action']}: {p['evidence']}" for c, p in told["personal"].items()]
        lines += [f"  rule ({rule['kind']}): {rule['column']} {rule['text']}" for rule in told["rules"]]
    if found:
        lines += ["\nto look at:", *(f"  - {line}" for line in found)]
    return "\n".join(lines)


def _described(plans: Plans, table: str, wanted: int, metadata: Metadata, config: Config) -> dict[str, Any]:
    plan, spec, columns = plans[table], metadata.tables[table], dict[str, list[str]]()
    for column in plan.columns.each:
        what = ROLES[column.role]
        personal = plan.columns.personal.get(column.name)
        if column.name in plan.columns.blurred:
            what = "personal, learnt to the month"
        elif personal is not None and column.role != "foreign":
            what = WRITTEN.get(in_short(personal.action), "personal, written by a function")
        elif column.role == "shape":
            what = "masked, values of too few rows"
        columns.setdefault(what, []).append(column.name)
    if left := spec.left_out(plan.columns.types()):
        columns["left empty"] = list(left)
    model = "copied" if plan.reference else f"model {config.train.model}" if plan.learns else "no model needed"
    rules = [
        {"kind": r.kind, "column": r.column, "text": r.text(lambda seen: f"the parent's {seen}")}
        for r in plan.rules.each
    ]
    why = {c: t.in_short for c, t in plan.columns.personal.items()}
    told = {"rows": plan.rows, "wanted": wanted, "model": model, "columns": columns}
    return {**told, "personal": why, "rules": rules}


def _warnings(plans: Plans, table: str) -> Iterator[str]:
    plan = plans[table]
    if not plan.rows:
        yield f"{table} has no rows; its copy has none either"
    elif plan.learns and plan.rows < FEW_ROWS:
        yield f"{table} has {plan.rows} rows: a model learns little more from them than the shares of each column"
    for fk in plan.keys.foreign:
        most = max(fk.distribution.get("values") or [0])
        if most > LONG_FAMILY:
            yield f"{table}: one row of {fk.references} has {most:,} children; they are cut into slices"
    if found := [c for c, t in plan.columns.personal.items() if t.evidence != DECLARED]:
        remedy = "say so under pii, with action: keep where they are not"
        yield f"{table}: {', '.join(found)} were found to be personal; {remedy}"
