from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from synthohive_spark import cli
from synthohive_spark.config import load_config
from synthohive_spark.errors import ConfigError
from synthohive_spark.example import CITIES, example_tables, write_example


def test_the_shop_is_the_same_everywhere(tmp_path: Path) -> None:
    rows = write_example(tmp_path / "a")
    assert rows == {"customers": 400, "products": 110, "orders": 1279, "order_items": 2785, "reviews": 754}
    digest = hashlib.sha256()
    for table in rows:
        digest.update((tmp_path / "a" / "data" / f"{table}.csv").read_bytes())
    assert digest.hexdigest()[:16] == "55694e9282310ac3"


def test_its_keys_resolve_and_its_rules_hold() -> None:
    made = example_tables()
    customers = {c["customer_id"] for c in made["customers"]}
    prices = {p["product_id"]: p["price"] for p in made["products"]}
    orders = {o["order_id"] for o in made["orders"]}
    assert all(c["country"] == CITIES[c["city"]][0] for c in made["customers"])
    assert all(o["customer_id"] in customers for o in made["orders"])
    assert all((o["status"] == "open") == (o["shipped_at"] is None) for o in made["orders"])
    assert all(o["shipped_at"] is None or o["shipped_at"] > o["ordered_at"] for o in made["orders"])
    assert all(i["order_id"] in orders and i["unit_price"] == prices[i["product_id"]] for i in made["order_items"])
    assert all(float(i["amount"]) == i["quantity"] * float(i["unit_price"]) for i in made["order_items"])
    assert len({(i["order_id"], i["line"]) for i in made["order_items"]}) == len(made["order_items"])
    assert all(r["customer_id"] in customers and r["product_id"] in prices for r in made["reviews"])


def test_metadata_and_configuration_fit_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_example("shop")
    config = load_config("shop/shop.yaml")
    for table, spec in config.metadata.tables.items():
        with Path("shop", "data", f"{table}.csv").open(encoding="utf-8") as file:
            assert next(csv.reader(file)) == list(spec.columns)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        write_example(tmp_path)
    with pytest.raises(SystemExit) as left:
        cli.example([str(tmp_path)])
    assert left.value.code == 2
    assert "name a folder that is new" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_the_command_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli.example(["shop"])
    out = capsys.readouterr().out
    assert "synthohive-ingest --config shop/shop.yaml --from shop/data" in out
    assert "synthohive-pipeline --config shop/shop.yaml" in out
