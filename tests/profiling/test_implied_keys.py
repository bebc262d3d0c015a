"""Which keys follow from others, from metadata, laws and counts alone. No Spark."""

from __future__ import annotations

from typing import Any

from synthohive_spark.graph import KeyPath, key_paths
from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.implied_keys import KeyCounts, followed, is_no_accident, order, with_rows
from synthohive_spark.profiling.key_design import design
from synthohive_spark.tables import Table


def fk(columns: str, parent: str, referenced: str = "id", **more: Any) -> dict[str, Any]:
    wanted = {"columns": columns.split(","), "referenced_columns": referenced.split(",")}
    return {**wanted, "references": parent, **more}


def table(pk: Any, *keys: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"primary_key": pk, "foreign_keys": list(keys), **more}


def loaded(**tables: Any) -> dict[str, Table]:
    return dict(Metadata.load({"tables": tables}).tables)


SHOP = {
    "region": table("id"),
    "client": table("id", fk("region", "region")),
    "orders": table("id", fk("client", "client")),
}
BY_CLIENT = KeyPath((1,), ("client",), 0)


def paths(name: str, tables: dict[str, Table]) -> dict[int, list[KeyPath]]:
    found: dict[int, list[KeyPath]] = {}
    for i, path in key_paths(name, tables, set()):
        found.setdefault(i, []).append(path)
    return found


def test_paths_lead_up_to_three_levels_to_the_same_parent() -> None:
    tables = loaded(**SHOP, line=table(None, fk("region", "region"), fk("order", "orders"), fk("client", "client")))
    found = paths("line", tables)
    assert KeyPath((1, 0), ("region",), 0) in found[0]  # order, client, its region
    assert found[2] == [KeyPath((1,), ("client",), 0)]
    assert 1 not in found  # nothing else leads to an order


def test_two_keys_to_one_table_and_keys_to_other_columns_of_it() -> None:
    tables = loaded(
        man=table("id", columns={"code": "string"}),
        doc=table("id", fk("author", "man"), fk("editor", "man")),
        page=table("id", fk("doc", "doc"), fk("writer", "man", "code")),
    )
    assert paths("doc", tables) == {1: [KeyPath((0,), ("id",))], 0: [KeyPath((1,), ("id",))]}
    assert paths("page", tables) == {1: [KeyPath((0, 0), ("code",)), KeyPath((0, 1), ("code",))]}


def test_keys_that_close_a_cycle_and_keys_to_the_table_itself_are_not_followed() -> None:
    tables = loaded(man=table("id", fk("boss", "man", nullable=True)), task=table("id", fk("a", "man"), fk("b", "man")))
    assert list(key_paths("man", tables, set())) == []
    assert KeyPath((0,), ("boss",), 0) in paths("task", tables)[1]  # but where they lead to is a value like others
    assert all(path.hops[0] == 0 for i, path in key_paths("task", tables, {("task", 1)}))


def test_the_finer_key_leads_and_there_is_no_circle() -> None:
    tables = loaded(**SHOP, bill=table("id", fk("client", "client"), fk("order", "orders")))
    keys = tables["bill"].foreign_keys
    counts = [KeyCounts(900, 90, 0.02), KeyCounts(900, 500, 0.003)]
    laws = {0: [BY_CLIENT]}
    assert followed("bill", tables, laws, order(keys, laws, counts, keys[0])) == {0: BY_CLIENT}
    docs = loaded(man=table("id"), doc=table("id", fk("author", "man"), fk("editor", "man", nullable=True)))
    twins, alike = docs["doc"].foreign_keys, [KeyCounts(900, 40, 0.03)] * 2
    both = {0: [KeyPath((1,), ("id",))], 1: [KeyPath((0,), ("id",))]}
    assert followed("doc", docs, both, order(twins, both, alike, twins[0])) == {1: KeyPath((0,), ("id",))}


def test_a_key_that_follows_from_one_that_follows_follows_from_what_leads() -> None:
    tables = loaded(
        **SHOP,
        parcel=table("id", fk("order", "orders")),
        scan=table("id", fk("region", "region"), fk("client", "client"), fk("parcel", "parcel")),
    )
    laws = {0: [KeyPath((1,), ("region",), 0)], 1: [KeyPath((2, 0), ("client",), 0)]}
    assert followed("scan", tables, laws, [2, 1, 0]) == {
        1: KeyPath((2, 0), ("client",), 0),
        0: KeyPath((2, 0, 0), ("region",), 0),
    }


def test_a_unique_key_holds_the_leading_key_too_or_the_other_does_not_follow() -> None:
    keys = (fk("client", "client"), fk("order", "orders"))
    alone = loaded(**SHOP, note=table(["client", "code"], *keys, columns={"code": "int"}))
    assert followed("note", alone, {0: [BY_CLIENT]}, [1, 0]) == {}
    both = loaded(**SHOP, note=table(["client", "order", "n"], *keys, columns={"n": "int"}))
    assert followed("note", both, {0: [BY_CLIENT]}, [1, 0]) == {0: BY_CLIENT}
    found = design("note", both, {**dict.fromkeys(both, 100), "orders": 500}, None, [0])
    assert (found.roles, found.spread, found.problems) == ({0: "implied", 1: "driving"}, {"n": ("order",)}, [])


def test_keys_of_a_tenant_follow_where_what_they_share_is_carried_along() -> None:
    tables = loaded(
        tenant=table("t"),
        client=table(["t", "c"], fk("t", "tenant", "t")),
        orders=table(["t", "o"], fk("t", "tenant", "t"), fk("t,c", "client", "t,c")),
        pay=table("id", fk("t", "tenant", "t"), fk("t,o", "orders", "t,o"), fk("t,c", "client", "t,c")),
    )
    path = KeyPath((1,), ("t", "c"), 1)
    assert followed("pay", tables, {2: [path]}, [1, 2, 0]) == {2: path}
    found = design("pay", tables, dict.fromkeys(tables, 100), None, [2])
    assert found.roles == {0: "driving", 1: "bound", 2: "implied"}


def test_a_declared_driving_key_that_others_share_columns_with_stays() -> None:
    tables = loaded(
        **SHOP, bill=table("id", fk("client", "client"), fk("order", "orders"), fk("client,x", "deal", "client,x")),
        deal=table(["client", "x"]),
    )  # fmt: skip
    assert followed("bill", tables, {0: [BY_CLIENT]}, [1, 0, 2]) == {}


def test_few_rows_or_few_parents_are_an_accident() -> None:
    assert is_no_accident(500, KeyCounts(500, 10, 0.1), KeyCounts(500, 200, 0.01))
    assert not is_no_accident(12, KeyCounts(12, 10, 0.1), KeyCounts(12, 12, 0.01))
    assert not is_no_accident(500, KeyCounts(500, 1, 1.0), KeyCounts(500, 200, 0.01))  # one value says nothing
    assert not is_no_accident(5000, KeyCounts(5000, 2, 0.5), KeyCounts(5000, 3, 0.3))  # three clerks of two shops
    assert KeyCounts.of({1: 2, 2: 1}) == KeyCounts(4, 3, 6 / 16)


def test_how_many_parents_have_rows_by_chance() -> None:
    assert with_rows({1: 40, 2: 20}, 0.5) == 20 + 15
    assert with_rows({40: 59}, 0.1) > 57  # patients with so many encounters, a tenth of which has supplies
