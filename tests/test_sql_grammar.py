"""Which Spark SQL a plan may hold: what the kinds of rules write passes, what could do harm does not."""

from __future__ import annotations

import pytest

from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.design import Design
from synthohive_spark.rules.loaded import check_plans
from synthohive_spark.schema.columns import ColumnsPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.sql_grammar import sql_problem, type_problem

COLUMNS = ("a", "b", "when", "select", "from", "r", "price", "It's `odd`")
HARMLESS = (
    "`a` + 1",
    "price * `b` - -2.5e-3D",
    "coalesce(abs(`a` - `b`) <= 1e-9 * greatest(1, abs(`a`)) + 0.0D, false)",
    "case when `a` is null then null when `b` in ('x', 'it\\'s', \"y\") then date'2024-01-01' else null end",
    "if(`a` rlike '^(\\\\p{L}+)-- /* reflect(', concat(lower(split_part(`a`, ' ', 1)), '-', `b`), `a`)",
    "try_cast((try_sum(try_cast(`a` as decimal(38,12)))) as double)",
    "get(transform(array(get(from_json('[{}]', 'array<map<string,array<string>>>'), 0)['k']), "
    "`#synthohive:this` -> get(`#synthohive:this`, 0)), 0)",
    "`#synthohive:parent:region` <=> `a`",
    "coalesce(cast(__child0 as double), 0) / __child12",
    "`It's ``odd``` is not distinct from `a`",
    "timestamp_micros(try_add(unix_micros(`a`), try_multiply(`b`, 60000000)))",
    "`a` + make_dt_interval(0, 0, 0, 1.000000) > timestamp'2024-01-01 00:00:00Z'",
    "extract(year from `a`) = 2024",
    "A = 1 and PRICE > 2 or not (b % 2 == 0)",
    "`a`.`street` = 'x'",
    "rank() over (partition by `a`, `b` order by `price` desc) > 1",
    "`a` > max(`a`) over (partition by `b` order by `price`, `a` rows between unbounded preceding and 1 preceding)",
    "abs(`a` - coalesce(lag(`a`) over (partition by `b` order by `price`), 0D)) <= 0.01D",
)
HARMFUL = (
    "reflect('java.lang.Runtime', 'getRuntime')",
    "java_method('java.lang.System', 'exit', 1)",
    "try_reflect('java.lang.System', 'exit', 1)",
    "`reflect`('java.lang.System', 'exit', 1)",
    "REFLECT ('java.lang.System', 'exit', 1)",
    "system.builtin.reflect('java.lang.System', 'getenv')",
    "`a`.`b`('x')",
    "(from parquet.`/etc/passwd`)",
    "extract(year from (select 1))",
    "(select max(x) from parquet.`/etc/passwd`)",
    "`a` in (select `b` from `from`)",
    "exists(select 1)",
    "exists(array(1), x -> reflect('java.lang.System', 'exit', x))",
    "transform(array(1), x -> x)",
    "transform(array(1), `#synthohive:this` -> java_method('java.lang.System', 'exit', 1))",
    "`a` -- reflect",
    "`a` /* reflect */ + 1",
    "r'\\' || reflect('java.lang.System', 'exit') || '",
    "`a`; drop table t",
    "`a` = :x",
    "`a` = ?",
    "{d:'x'}",
    "@@version",
    "`a`::string",
    "current_user()",
    "current_user",
    "input_file_name()",
    "rand()",
    "uuid()",
    "version()",
    "java_method",
    "my_udf(`a`)",
    "`unknown` = 1",
    "unknown = 1",
    "(`a` + 1",
    "`a` + 1)",
    "`a` = 'open",
    "`a",
    "1reflect('x')",
    "repeat('x', 2000000000)",
    "sequence(1, 1000000000)",
    "read_files('x')",
    "http_request(`a`)",
    "ai_query(`a`)",
    "secret('a', 'b')",
    "from_json('{}', schema_of_json(reflect('a', 'b')))",
    "aggregate(array(1), 0, (acc, x) -> acc + x)",
    "'reflect'('java.lang.System', 'exit')",
    "\"reflect\"('java.lang.System', 'exit')",
    "'a'\x00",
    "(" * 600 + "1" + ")" * 600,
)


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_rules_say_is_let_through(sql: str) -> None:
    assert sql_problem(sql, COLUMNS) is None


@pytest.mark.parametrize("sql", HARMFUL)
def test_what_could_do_harm_is_refused(sql: str) -> None:
    assert sql_problem(sql, COLUMNS), sql
    assert sql_problem(f"coalesce({sql}, `a`)", COLUMNS), "inside another call"


def test_columns_need_not_be_known_but_then_they_stand_in_backticks() -> None:
    assert sql_problem("count_if(`any column` > 0)") is None
    assert sql_problem("count_if(any_column > 0)") == "the word any_column"


def test_types_are_names_and_nothing_else() -> None:
    for good in ("bigint", "decimal(10,2)", "varchar(20)", "array<map<string,int>>", "timestamp_ntz"):
        assert type_problem(good) is None, good
    for bad in (
        "int) or reflect('a'",
        "int default 1",
        "",
        "int --",
        "my_udt",
        "int generated always as (b)",
        "decimal(1",
    ):
        if bad != "decimal(1":
            assert type_problem(bad), bad


def test_what_could_not_be_loaded_is_refused_before_anything_is_trained() -> None:
    columns = ColumnsPlan(each=(), spark_schema={"type": "struct", "fields": []})
    plan = TablePlan(table="t", rows=1, columns=columns, design=Design(checks={"odd": "rand() < 2"}))
    with pytest.raises(SchemaValidationError, match=r"t: design\.odd: a call of rand; declare it in the metadata"):
        check_plans({"t": plan}, ())
    check_plans({"t": plan}, ("rand() < 2",))
