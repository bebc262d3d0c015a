"""Plans that are loaded: nothing in them makes Spark or Python run what somebody else wrote.

All that Spark evaluates of a plan is built once and held against ``sql_grammar``: what rules say, what people declared,
defaults, checks, types. What the user's own metadata declare is his own word, and passes as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pyspark.sql.types import StructType

from synthohive_spark.counts.distribution import LinkageModel
from synthohive_spark.errors import ConfigError, SchemaValidationError, SerializationError
from synthohive_spark.lake.design import DEFAULT
from synthohive_spark.nested import nested_schema
from synthohive_spark.personal import functions_of
from synthohive_spark.privacy.rewriting import ENVIRONMENT
from synthohive_spark.rules import kinds
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.sql_grammar import sql_problem, type_problem
from synthohive_spark.tables import CHAR_VARCHAR
from synthohive_spark.untrusted import MALFORMED, plain_json

MOST_BYTES = 64 * 2**20  # of the JSON text of a plan
SHOWN = 5  # problems that a message names
DEFAULTS = (DEFAULT, "EXISTS_DEFAULT")
OF_DELTA, HARMLESS = "delta.", ("delta.columnMapping.", "delta.typeChanges")


def read_plan(plan: str | dict[str, Any], declared: Collection[str] = ()) -> TablePlan:
    """A plan that was kept as JSON, or as values of JSON; its rules are of their kinds.

    Args:
        plan: the text, or the values.
        declared: Spark SQL of the user's own metadata; all other SQL of the plan must be harmless.

    Raises:
        SerializationError: it was written by another version, is malformed, or holds SQL that may not run.
    """
    kinds.load()
    remedy = "train again, or give the metadata that declare these expressions"
    try:
        made = TablePlan.model_validate(plain_json(plan, MOST_BYTES) if isinstance(plan, str) else plan)
        found = plan_problems(made, declared)
    except ValidationError as e:
        wrong = [f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in e.errors(include_input=False)[:SHOWN]]
        raise SerializationError(f"a plan is malformed, or of another version: {'; '.join(wrong)}; train again") from e
    except (*MALFORMED, ConfigError) as e:
        raise SerializationError(f"a plan is malformed: {type(e).__name__}: {e}; train again") from e
    if found:
        raise SerializationError(f"the plan of {made.table} may not run: {'; '.join(found[:SHOWN])}; {remedy}")
    return made


def check_plans(plans: Mapping[str, TablePlan], declared: Collection[str]) -> None:
    """Whether the plans could be read again, asked before anything is trained.

    Raises:
        SchemaValidationError: with every expression of the source that may not run, and the way out.
    """
    remedy = "declare it in the metadata, as a constraint or a derived column, or drop it from the source"
    found = [f"{table}: {wrong}; {remedy}" for table, plan in plans.items() for wrong in plan_problems(plan, declared)]
    if found:
        raise SchemaValidationError(found)


def plan_problems(plan: TablePlan, declared: Collection[str] = ()) -> list[str]:
    """Every place of a plan that Spark may not evaluate, with what is wrong there.

    Args:
        plan: of a table.
        declared: Spark SQL that the user's own metadata hold.
    """
    found = [*_schema_problems(plan.columns.spark_schema, "columns.spark_schema")]
    if found:  # what follows reads the schema
        return found
    whole = StructType.fromJson(plan.columns.spark_schema)
    nested_schema(whole)  # what it says of structs can be read
    schema = {f.name: f.dataType.simpleString() for f in whole.fields}
    types = {c.name: c.type for c in plan.columns.each}
    found += [*_named_elsewhere(plan.columns, declared)]
    for place, kind in _types(plan):
        wrong = type_problem(kind)
        if wrong is not None and kind not in schema.values():
            found.append(f"{place}: {wrong}")
    for place, sql, columns in _evaluated(plan, types, declared):
        wrong = sql_problem(sql, columns)
        found += [f"{place}: {wrong}"] if wrong is not None else []
    for fk in plan.keys.foreign:
        LinkageModel.from_dict(fk.distribution)
    for hierarchy in plan.keys.hierarchies:
        for law in hierarchy.laws:
            LinkageModel.from_dict(law)
    return found


def _types(plan: TablePlan) -> Iterator[tuple[str, str]]:
    """Names of types, with their places."""
    yield from ((f"columns.{c.name}", c.type) for c in plan.columns.each)
    yield from ((f"context.{c.name}", c.type) for c in plan.context.each)


def _evaluated(
    plan: TablePlan, types: Mapping[str, str], declared: Collection[str]
) -> Iterator[tuple[str, str, Collection[str] | None]]:
    """All Spark SQL of a plan that is nobody's own word: its place, the SQL, the columns that it may name."""
    for rule in plan.rules.each:
        if rule.said not in declared:
            for sql in rule.evaluated(types):
                yield f"rules.{rule.name}", sql, types
            for sql in rule.aggregated:
                yield f"rules.{rule.name}", sql, None
    words = {*declared, *(f"({sql}) is true" for sql in declared)}
    for law in plan.columns.bounds:
        if law.expression not in words:
            yield "columns.bounds", law.sql, types
    for name, sql in (*plan.design.checks.items(), *plan.design.generated.items()):
        if sql not in declared:
            yield f"design.{name}", sql, types


def _named_elsewhere(columns: ColumnsPlan, declared: Collection[str]) -> Iterator[str]:
    """Functions and files that the user does not name: a plan alone may neither call nor read them."""
    for column, treatment in columns.personal.items():
        for function in functions_of([treatment.action]) - {*declared}:
            yield f"columns.personal.{column}: function {function}, which your configuration and metadata do not name"
    secret = columns.secret
    if secret is not None and secret not in declared and not secret.startswith(ENVIRONMENT):
        yield "columns.secret: a file that your configuration does not name; save with env:NAME"


def _schema_problems(schema: Any, place: str) -> Iterator[str]:
    """Where a schema is not one of Spark's own types, or declares more than names, types, comments and defaults."""
    if isinstance(schema, str):
        wrong = type_problem(schema)
        yield from [f"{place}: {wrong}"] if wrong is not None else []
        return
    parts = {"struct": {"fields"}, "array": {"elementType"}, "map": {"keyType", "valueType"}}
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    if kind not in parts or not parts[kind] <= {*schema}:
        yield f"{place}: {kind!r}, which is no type that is read"
    elif kind == "struct":
        for field in schema["fields"]:
            yield from _field_problems(field, place)
    else:
        for part in parts[kind]:
            yield from _schema_problems(schema[part], f"{place}.{part}")


def _field_problems(field: Mapping[str, Any], place: str) -> Iterator[str]:
    name, about = field["name"], field.get("metadata") or {}
    if not isinstance(name, str) or not isinstance(field["nullable"], bool):
        yield f"{place}: a field without a name, or without a word on nulls"
    yield from _schema_problems(field["type"], f"{place}.{name}")
    for key in DEFAULTS:
        wrong = sql_problem(f"{about[key]}", ()) if key in about else None
        yield from [f"{place}.{name}: {key}: {wrong}"] if wrong is not None else []
    if CHAR_VARCHAR in about and "struct" not in about[CHAR_VARCHAR]:
        wrong = type_problem(about[CHAR_VARCHAR])
        yield from [f"{place}.{name}: {wrong}"] if wrong is not None else []
    yield from (
        f"{place}.{name}: {key} is declared"
        for key in about
        if key.startswith(OF_DELTA) and not key.startswith(HARMLESS)
    )
