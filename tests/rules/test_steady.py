"""Laws that name an aggregate of children: those that are computed anew with it stay, the others go."""

from __future__ import annotations

from synthohive_spark.rules.children.steady import lost, steady
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds import load
from synthohive_spark.rules.kinds.aggregate import Aggregate, changing
from synthohive_spark.rules.search import kinds
from synthohive_spark.schema.children import ChildValue
from synthohive_spark.schema.rule import RulesPlan

load()
VALUES = "affine"  # a kind whose laws are SQL
BOUNDS = next(kind.name for kind in kinds() if kind.name == "order")


def law(kind: str, target: str, *inputs: str, reach: str = "whole") -> Law:
    return Law(kind, target, inputs, "{0}", "part" if reach == "part" else "whole", "", 10)


def kept(*laws: Law, later: dict[str, set[str]]) -> list[Law]:
    choice, others = steady(laws, {"c0"}, {}, later)
    return [one for one in laws if one in choice.values.values() or (one.kind == BOUNDS and one in others)]


def test_what_follows_from_an_aggregate_by_sql_is_computed_anew() -> None:
    tax, rated, bound = law(VALUES, "v2", "v0"), law(VALUES, "v3", "v0", "c0"), law(BOUNDS, "v5", "v4")
    assert kept(tax, rated, bound, later={"v0": set()}) == [tax, rated, bound]
    choice, _ = steady([tax], set(), {}, {"v0": set()})
    assert choice.order == ["v2"], "the aggregate itself is none of them"


def test_no_other_law_rests_on_an_aggregate_or_on_what_follows_from_it() -> None:
    tax = law(VALUES, "v2", "v0")
    wrong = [
        law(VALUES, "v0", "v3"),
        law(VALUES, "v4", "v0", reach="part"),
        law(BOUNDS, "v5", "v0"),
        law(BOUNDS, "v0", "v5"),
        law(BOUNDS, "v5", "v2"),
        law(BOUNDS, "v2", "v5"),
    ]
    assert kept(tax, *wrong, later={"v0": set()}) == [tax]
    assert kept(law(VALUES, "v1", "v0"), later={"v0": {"v1"}}) == [], "which builds on what would follow from it"


def test_what_changes_is_known_from_the_plan() -> None:
    count = ChildValue(table="child", columns=("parent",), referenced=("id",), sql="count(1)")
    rule = Aggregate(column="n", children=(count,), expression="coalesce(cast(__child0 as double), 0)", scale=0)
    assert changing(RulesPlan(each=(rule,))) == {"n"}
    assert rule.text(str) == "count(1) of `child`(`parent`)"
    assert RulesPlan.model_validate_json(RulesPlan(each=(rule,)).model_dump_json()).each == (rule,)


def test_laws_that_fall_are_those_that_no_like_one_replaces() -> None:
    tax, bound, other = law(VALUES, "v2", "v0"), law(BOUNDS, "v5", "v0"), law(BOUNDS, "v5", "v4")
    assert lost([tax, bound], {"v0"}) == [bound]
    assert lost([tax, bound, other], {"v0"}) == [], "another bound of the column stays"
    assert lost([law(BOUNDS, "v0", "v5")], {"v0"}) == [], "the aggregate itself is none of them"
