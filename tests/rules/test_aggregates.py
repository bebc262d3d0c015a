"""Columns of a parent that are aggregates of its children: searched on planted families, without Spark."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthohive_spark.rules.children.task import PARENT, PLACE, SELF, VALUES, FamilySearcher, Side

RNG = np.random.default_rng(5)
PARENTS, CHILDREN = 600, 2_400
TYPES = {"i": "bigint", "f": "double", "O": "string", "b": "boolean"}
Frame = pd.DataFrame


def numbers(values: pd.Series[Any], kind: str) -> pd.Series[Any]:
    """A column as the lake gives it to the search."""
    if kind == "string":
        return values.map(lambda v: None if v is None else float(pd.util.hash_array(np.array([v], object))[0] >> 11))
    return values.astype(float)


def side(frame: Frame, targets: list[str], types: dict[str, str]) -> Side:
    named = {c: types.get(c) or TYPES[frame[c].to_numpy().dtype.kind] for c in frame if c != "parent"}
    drawn = frozenset(f"`{c}`" for c in targets)
    return Side({f"`{c}`": t for c, t in named.items()}, tuple(named), drawn, drawn)


def found(parents: Frame, *children: Frame, types: dict[str, str] | None = None) -> dict[str, list[str]]:
    """{column: what it may be, simple things first}; a column ``parent`` of the children is their key."""
    types = types or {}
    sides = [side(parents, list(parents), types), *(side(c, [], types) for c in children)]
    width = max(len(s.types) for s in sides)
    rows = []
    for place, (frame, one) in enumerate(zip([parents, *children], sides, strict=True)):
        keys = frame["parent"] if "parent" in frame else pd.Series(range(len(frame)))
        columns = [numbers(frame[c], kind) for c, kind in zip(one.names, one.types.values(), strict=True)]
        for i, key in enumerate(keys):
            values = [None if pd.isna(c.iloc[i]) else float(c.iloc[i]) for c in columns]
            rows.append((int(key), place + SELF, [*values, *[None] * (width - len(values))]))
    where, place, values = zip(*rows, strict=True)
    fields = [(PARENT, pa.int64()), (PLACE, pa.int32()), (VALUES, pa.list_(pa.float64()))]
    table = pa.table([list(where), list(place), list(values)], schema=pa.schema(fields))
    laws: dict[str, list[str]] = {}
    for one in FamilySearcher(sides[0], tuple(sides[1:])).found(table):
        made = re.sub(r"__child(\d)", lambda m, o=one: o.children[int(m[1])][1], one.expression)  # type: ignore[misc]
        laws.setdefault(list(parents)[one.target], []).append(made)
    return laws


def lines(parents: int = PARENTS, rows: int = CHILDREN) -> Frame:
    frame = pd.DataFrame(
        {
            "parent": RNG.integers(0, parents, rows),
            "price": RNG.integers(100, 99_999, rows) / 100,
            "quantity": RNG.integers(1, 50, rows),
            "discount": RNG.integers(0, 11, rows) / 100,
            "tax": RNG.integers(0, 9, rows) / 100,
            "day": RNG.integers(9_000, 12_000, rows),
        }
    )
    return frame.sort_values("parent", ignore_index=True)


def per_parent(frame: Frame, values: Any, how: str = "sum", parents: int = PARENTS) -> Any:
    made = pd.Series(np.asarray(values)).groupby(frame["parent"].to_numpy()).agg(how).reindex(range(parents))
    return (made.fillna(0) if how in ("sum", "count") else made).to_numpy()


def best(laws: dict[str, list[str]]) -> dict[str, str]:
    return {column: each[0] for column, each in laws.items()}


def test_counts_sums_and_extremes() -> None:
    child = lines()
    parents = pd.DataFrame(
        {
            "n": per_parent(child, child["price"], "count"),
            "total": per_parent(child, child["price"]).round(2),
            "first": per_parent(child, child["day"], "min"),
            "last": per_parent(child, child["day"], "max"),
            "mean": per_parent(child, child["quantity"], "mean").round(2),
            "noise": RNG.integers(0, 5, PARENTS),
        }
    )
    types = {"first": "date", "last": "date", "day": "date"}
    assert best(found(parents, child, types=types)) == {
        "n": "coalesce(cast(count(1) as double), 0)",
        "total": "coalesce(cast(try_sum(try_cast(cast(`price` as double) as decimal(38,12))) as double), 0)",
        "first": "min(`day`)",
        "last": "max(`day`)",
        "mean": "try_divide(cast(try_sum(try_cast(`quantity` as decimal(38,12))) as double), count(`quantity`))",
    }


def test_shares_distinct_values_and_quotients() -> None:
    child = lines()
    child["ok"] = RNG.random(CHILDREN) < 0.6
    child["city"] = [f"city {i}" for i in RNG.integers(0, 40, CHILDREN)]
    sold = np.where(per_parent(child, child["quantity"]) > 0, per_parent(child, child["quantity"]), np.nan)
    weighted = per_parent(child, child["price"] * child["quantity"]) / sold
    parents = pd.DataFrame(
        {
            "share": (per_parent(child, child["ok"], "mean") * 100).round(1),
            "cities": child.groupby("parent")["city"].nunique().reindex(range(PARENTS), fill_value=0),
            "mean": weighted.round(2),
        }
    )
    assert {c: law.replace("cast(", "") for c, law in best(found(parents, child)).items()} == {
        "share": "try_divide(count_if(`ok` <=> §0|5|1§) as double), count(1)) * 100",
        "cities": "coalesce(size(collect_set(`city`)) as double), 0)",
        "mean": "try_divide(try_sum(try_`price` as double) * `quantity` as double) as decimal(38,12))) as double), "
        "try_sum(try_`quantity` as double) as decimal(38,12))) as double))",
    }


def cents(values: Any) -> Any:
    return np.floor(np.asarray(values) * 100 + 1e-6) / 100


PRICES = {
    "plain": (lambda c: c["price"] * c["quantity"], "cast(`price` as double) * cast(`quantity` as double)"),
    "discounted": (
        lambda c: c["price"] * c["quantity"] * (1 - c["discount"]),
        "cast(`price` as double) * cast(`quantity` as double) * (1 - cast(`discount` as double))",
    ),
    "taxed": (
        lambda c: c["price"] * (1 - c["discount"]) * (1 + c["tax"]),
        "cast(`price` as double) * (1 - cast(`discount` as double)) * (1 + cast(`tax` as double))",
    ),
    "floored": (
        lambda c: cents(cents(c["price"] * (1 - c["discount"])) * (1 + c["tax"])),
        "floor(round((floor(round((cast(`price` as double) * (1 - cast(`discount` as double))) * 100, 6)) / 100 "
        "* (1 + cast(`tax` as double))) * 100, 6)) / 100",
    ),
    "rounded": (
        lambda c: np.floor(c["price"] * (1 - c["discount"]) * 100 + 0.5 + 1e-6) / 100,
        "round(round(cast(`price` as double) * (1 - cast(`discount` as double)), 8), 2)",
    ),
    "net": (lambda c: c["price"] - c["quantity"], "cast(`price` as double) - cast(`quantity` as double)"),
}


@pytest.mark.parametrize("name", PRICES)
def test_products_with_rates_rounded_at_any_step(name: str) -> None:
    child, (make, sql) = lines(), PRICES[name]
    parents = pd.DataFrame({"total": per_parent(child, make(child)).round(2)})
    wanted = f"coalesce(cast(try_sum(try_cast({sql} as decimal(38,12))) as double), 0)"
    assert found(parents, child)["total"][0] == wanted


def test_what_nearly_holds_is_no_law() -> None:
    child = lines()
    total = per_parent(child, child["price"]).round(2)
    near = np.where(RNG.random(PARENTS) < 0.03, total + 1, total)
    assert found(pd.DataFrame({"total": near}), child) == {}
    some = lines(40, 60)
    assert found(pd.DataFrame({"flag": RNG.integers(0, 2, 40), "n": RNG.integers(0, 4, 40)}), some) == {}


def test_two_tables_and_a_number_of_the_parent() -> None:
    one, other = lines(), lines()
    base = RNG.integers(100, 9_999, PARENTS) / 100
    parents = pd.DataFrame(
        {
            "base": base,
            "cost": (base + per_parent(one, one["price"])).round(2),
            "all": per_parent(one, one["price"]) + per_parent(other, other["price"]),
            "due": (per_parent(one, one["price"]) - per_parent(other, other["price"])).round(2),
        }
    )
    laws = best(found(parents.assign(all=parents["all"].round(2)), one, other))
    total = "coalesce(cast(try_sum(try_cast(cast(`price` as double) as decimal(38,12))) as double), 0)"
    assert laws == {
        "cost": f"cast(`base` as double) + {total}",
        "base": f"cast(`cost` as double) - {total}",
        "all": f"{total} + {total}",
        "due": f"{total} - {total}",
    }, "of two that say the same, the first is chosen"


def test_a_multiple_of_another_number_is_left_to_the_rules_of_the_row() -> None:
    child = lines()
    total = per_parent(child, child["price"]).round(2)
    assert {*found(pd.DataFrame({"total": total, "twice": 2 * total}), child)} == {"total"}


def test_what_children_repeat_of_their_parent_is_no_aggregate() -> None:
    child = lines()
    hour, zone, flag = RNG.integers(0, 24, PARENTS), RNG.integers(0, 3, PARENTS), RNG.random(PARENTS) < 0.5
    at = child["parent"].to_numpy()
    child["planned"], child["hour"] = 100 * hour[at] + child["quantity"], hour[at]
    child["zone"], child["flag"] = [f"zone {z}" for z in zone[at]], flag[at]
    parents = pd.DataFrame({"hour": hour, "zone": [f"z{z}" for z in zone], "flag": flag, "mark": flag.astype(int)})
    assert found(parents, child) == {}


def status(parent: Any) -> str:
    return parent[0] if len(set(parent)) == 1 else "P"


def test_a_status_of_all_or_any_of_the_children() -> None:
    child = lines()
    child["state"] = np.where(child["parent"] % 3 == 0, "F", np.where(RNG.random(CHILDREN) < 0.5, "F", "O"))
    child["state"] = child["state"].where(child["parent"] % 3 != 1, "O")
    groups = child.groupby("parent")["state"]
    parents = pd.DataFrame({"state": groups.agg(list).map(status).reindex(range(PARENTS), fill_value="O")})
    laws = found(parents, child)["state"]
    sign, value = r"bool_\w+\(`state` <=> §0\|5\|\d+§\)", r"§-1\|0\|\d+§"
    decision = rf"when (not )?{sign} then {value} "
    pattern = rf"case when {sign} is null then {value} {decision}{decision}else {value} end"
    assert re.match(pattern, laws[0])
    parents.loc[child["parent"].iloc[9], "state"] = "X"
    assert found(parents, child) == {}


def test_a_status_that_few_parents_of_few_have() -> None:
    parents, rows = 180, 1_700  # one in thirty-five has no open child
    child = lines(parents, rows)
    child["done"] = np.where(RNG.random(rows) < 0.6, "Y", "N")
    child["done"] = child["done"].where(child["parent"] % 12 > 0, "Y")
    state = child.groupby("parent")["done"].min().reindex(range(parents), fill_value="Y")
    assert "state" in found(pd.DataFrame({"state": state}), child)


def test_rows_without_children() -> None:
    child = lines(rows=500)  # a third of the parents has none
    total = pd.Series(per_parent(child, child["price"]).round(2))
    none = per_parent(child, child["price"], "count") == 0
    assert none.sum() > 100
    filled = "coalesce(cast(try_sum("
    assert found(pd.DataFrame({"total": total}), child)["total"][0].startswith(filled)
    assert found(pd.DataFrame({"total": total.mask(none)}), child)["total"][0].startswith("cast(try_sum(")
    highest = pd.Series(per_parent(child, child["price"], "max")).fillna(0)
    assert found(pd.DataFrame({"most": highest}), child)["most"][0] == "coalesce(max(`price`), 0)"
    kept = total.where(~none, pd.Series(RNG.integers(1, 99, PARENTS).astype(float)))
    assert found(pd.DataFrame({"total": kept}), child)["total"][0].startswith("cast(try_sum(")


def test_the_last_by_time_and_the_highest_where_all_are_set() -> None:
    child = lines()
    child["level"] = RNG.integers(0, 1_000, CHILDREN)
    last = child.sort_values(["parent", "day", "level"]).groupby("parent").last()["level"].reindex(range(PARENTS))
    child["done"] = child["day"].where(RNG.random(CHILDREN) < 0.9)
    whole = child.groupby("parent")["done"].agg(lambda d: d.max() if d.notna().all() else np.nan)
    parents = pd.DataFrame({"level": last, "closed": whole.reindex(range(PARENTS))})
    laws = best(found(parents, child, types={"day": "date", "done": "date", "closed": "date"}))
    assert laws == {
        "level": "max_by(`level`, if(`day` is null, null, struct(`day`, `level`)))",
        "closed": "if(count(`done`) = count(1), max(`done`), null)",
    }
