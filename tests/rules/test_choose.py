"""Choice among laws: no cycles, one law per column, keys first, declarations respected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synthohive_spark.rules.branches import Asks, Branch, Leaf, Question, to_json
from synthohive_spark.rules.choose import choose, in_order
from synthohive_spark.rules.kind import WAY, Law
from synthohive_spark.rules.kinds import load
from synthohive_spark.rules.kinds.null_implication import combined
from synthohive_spark.sql import names_in

load()


def law(kind: str, target: int, *inputs: str, distinct: int = 10, **more: str) -> Law:
    return Law(kind, f"v{target}", inputs, "{0}", distinct=distinct, **more)


def test_a_sum_follows_from_its_parts_and_a_cycle_is_not_closed() -> None:
    laws = [law("sum", 0, "v1", "v2", distinct=50), law("sum", 1, "v0", "v2", distinct=20), law("sum", 2, "v0", "v1")]
    assert list(choose(laws, (), {}).values) == ["v0"]


def test_what_cannot_be_turned_round_comes_before_sums_that_can() -> None:
    net, tax, _, total = columns = ("v0", "v1", "v2", "v3")
    distinct = (99, 40, 50, 90)
    sums = [law("total", i, *(c for c in columns if c != f"v{i}"), distinct=distinct[i]) for i in range(4)]
    made = choose([*sums, replace(law("factors", 1, net, distinct=40), slack=0.01)], (), {}).values
    assert {t: w.kind for t, w in made.items()} == {tax: "factors", total: "total"}


def test_equal_columns_follow_from_the_first() -> None:
    laws = [law("copy", a, f"v{b}") for a in range(3) for b in range(3) if a != b]
    made = choose(laws, (), {}).values
    assert len(made) == 2
    assert {law.inputs for law in made.values()} <= {("v0",), ("v1",), ("v2",)}


def test_keys_decide_first_and_what_follows_from_them_goes_on() -> None:
    laws = [
        law("part", 1, "v0", distinct=24),
        law("digits", 1, "v3", distinct=24),
        law("digits", 2, "v3", distinct=60),
        law("radix", 3, "v1", "v2", distinct=900),
    ]
    choice = choose(laws, ("v0",), {})
    assert {t: made.kind for t, made in choice.values.items()} == {"v1": "part", "v3": "radix"}
    assert choice.order.index("v1") < choice.order.index("v3")


def test_the_zone_in_which_most_parts_agree_wins() -> None:
    laws = [law("part", t, "v0", zone=z) for t, z in [(1, "A"), (1, "B"), (2, "A"), (2, "B"), (3, "B")]]
    assert {made.zone for made in choose(laws, ("v0",), {}).values.values()} == {"B"}


def test_declared_columns_are_not_derived_again_and_take_part_in_the_order() -> None:
    laws = [law("sum", 0, "v1", "v2"), law("sum", 1, "v0", "v2"), law("copy", 3, "v0")]
    choice = choose(laws, (), {"v0": {"v1", "v2"}})
    assert list(choice.values) == ["v3"]
    assert choice.order == ["v0", "v3"]


def test_nulls_follow_from_columns_that_are_drawn() -> None:
    laws = [Law("null_implication", f"v{t}", (f"v{i}",), "{0} is null") for t, i in [(0, 1), (3, 0), (3, 1), (1, 3)]]
    # v0 follows from others on every row; of two that are null together, the first leads
    assert {t: made.inputs for t, made in combined(laws, {"v0"}).items()} == {"v3": ("v1",)}


@pytest.mark.parametrize(
    ("after", "order"),
    [({"a": ["b"], "b": ["c"]}, ["b", "a"]), ({"a": ["b"], "b": ["a"]}, ["b", "a"]), ({}, [])],
)
def test_order(after: dict[str, list[str]], order: list[str]) -> None:
    assert in_order(after) == order


def test_names_in_an_expression() -> None:
    columns = ["price", "two words", "a`b", "qty", "rice"]
    assert names_in("Price * `two words` + `a``b`", columns) == {"price", "two words", "a`b"}


def decided(target: int, asks: Asks, *columns: str) -> Law:
    """A category of two values that one question tells."""
    leaves = [Leaf((("late", 9),)), Leaf((("in time", 9),))]
    bound = ("4",) if asks == "at most" else ()
    way = Branch(Question(asks, columns[0], *columns[1:], values=bound), leaves[0], leaves[1])
    return Law("decision", f"v{target}", columns, "", distinct=2, facts={WAY: to_json(way)})


def test_a_threshold_says_more_than_which_of_two_is_greater() -> None:
    laws = [decided(0, "before", "v1", "v2"), decided(0, "at most", "v2")]
    assert choose(laws, (), {}).values["v0"].inputs == ("v2",)


def test_a_number_that_a_category_gives_does_not_tell_it() -> None:
    rate = law("dictionary", 2, "v0", "c1", distinct=12)
    assert [*choose([decided(0, "at most", "v2"), rate], (), {}).values] == ["v2"]
    alone = law("dictionary", 2, "v0", distinct=12)
    assert [*choose([decided(0, "at most", "v2"), alone], (), {}).values] == ["v0"], "one of them tells the other"


def test_an_hour_on_a_day_rather_than_a_day_where_there_is_an_hour() -> None:
    filled = law("part", 0, "v1", distinct=400, reach="fill")
    assert [*choose([filled, law("on_day", 1, "v0", distinct=300, reach="part")], (), {}).values] == ["v1"]
    assert [*choose([replace(filled, reach="whole"), law("on_day", 1, "v0", reach="part")], (), {}).values] == ["v0"]
