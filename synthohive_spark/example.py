"""A small linked database to try the package with: a shop of five tables, its metadata and a configuration.

The same on every machine: made with nothing but ``random.Random.random``, whose numbers Python promises to keep.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from synthohive_spark.errors import ConfigError

T = TypeVar("T")
Row = dict[str, Any]
SEED = 7
CUSTOMERS = 400
FIRST_DAY, DAYS = dt.datetime(2024, 1, 1), 730

FIRST_NAMES = "Ada Ben Carla David Elif Farid Greta Hugo Ines Jonas Karin Leo Mona Nils Olga Pavel Rosa Sven Tara Yusuf"
LAST_NAMES = (
    "Adler Bauer Costa Dubois Eriksen Fischer Garcia Hansen Ivanov Jansen Keller Lopez Moreau Novak Rossi Silva"
)
CITIES = {  # city: country, and how many customers live there beside those of other cities
    "Berlin": ("Germany", 9), "Hamburg": ("Germany", 6), "Munich": ("Germany", 5), "Paris": ("France", 7),
    "Lyon": ("France", 4), "Madrid": ("Spain", 5), "Seville": ("Spain", 2), "Oslo": ("Norway", 3),
}  # fmt: skip
THINGS = {  # category: names, and the least and greatest price
    "kitchen": ("kettle pan teapot toaster knife bowl", 12, 90),
    "garden": ("spade hose bench lantern planter", 8, 160),
    "office": ("desk lamp chair notebook shelf printer", 5, 320),
    "sport": ("racket bicycle mat tent skis", 15, 700),
}
COLOURS = "red blue green black white"

METADATA = """\
# What the package should know of the shop: keys, types, and what is personal.
tables:
  customers:
    primary_key: customer_id
    columns: {customer_id: bigint, name: string, email: string, city: string, country: string, segment: string,
      joined_on: date}
    pii: [name, email]
  products:
    primary_key: product_id
    columns: {product_id: string, name: string, category: string, price: "decimal(10,2)"}
  orders:
    primary_key: order_id
    foreign_keys:
      - {columns: [customer_id], references: customers, referenced_columns: [customer_id]}
    columns: {order_id: bigint, customer_id: bigint, ordered_at: timestamp, status: string, shipped_at: timestamp}
  order_items:
    primary_key: [order_id, line]
    foreign_keys:
      - {columns: [order_id], references: orders, referenced_columns: [order_id], driving: true}
      - {columns: [product_id], references: products, referenced_columns: [product_id]}
    columns: {order_id: bigint, line: int, product_id: string, quantity: int, unit_price: "decimal(10,2)",
      amount: "decimal(12,2)"}
  reviews:
    primary_key: review_id
    foreign_keys:
      - {columns: [product_id], references: products, referenced_columns: [product_id], driving: true}
      - {columns: [customer_id], references: customers, referenced_columns: [customer_id]}
    columns: {review_id: bigint, product_id: string, customer_id: bigint, rating: int, written_on: date}
"""
CONFIG = """\
# The example of the README. Relative places start where a command is called.
run: shop
source: {{path: {folder}/lake/source}}
target: {{path: {folder}/lake/synthetic}}
workspace: {{path: {folder}/lake/workspace}}
metadata: {folder}/metadata.yaml
train: {{model: autoregressive, seed: 1}}
generate: {{scale: 1.0, seed: 1}}
evaluate: {{fail_under: {{columns: 0.80}}}}
"""


class _Chance:
    """Draws from one stream of numbers between 0 and 1."""

    def __init__(self, seed: int) -> None:
        self.next = random.Random(seed).random

    def whole(self, least: int, most: int) -> int:
        return least + int(self.next() * (most - least + 1))

    def one(self, choices: Sequence[T], weights: Sequence[float] | None = None) -> T:
        if weights is None:
            return choices[self.whole(0, len(choices) - 1)]
        left = self.next() * sum(weights)
        for choice, weight in zip(choices, weights, strict=True):
            left -= weight
            if left < 0:
                return choice
        return choices[-1]


def example_tables(customers: int = CUSTOMERS, seed: int = SEED) -> dict[str, list[Row]]:
    """The rows of the shop's tables.

    What holds in it: a city lies in one country, the unit price is the product's, the amount is quantity times unit
    price, no order is shipped before it is placed, and open orders have no time of shipping. Business customers order
    more often and in larger numbers; dear products are rated higher.

    Args:
        customers: how many; the other tables follow.
        seed: another one gives another shop.

    Returns:
        {table: rows}.
    """
    chance = _Chance(seed)
    made = {"customers": list(_customers(chance, customers)), "products": list(_products(chance))}
    made["orders"] = list(_orders(chance, made["customers"]))
    segments = {c["customer_id"]: c["segment"] for c in made["customers"]}
    made["order_items"] = [
        item
        for order in made["orders"]
        for item in _items(chance, order, segments[order["customer_id"]], made["products"])
    ]
    made["reviews"] = list(_reviews(chance, made["products"], list(segments)))
    return made


def write_example(folder: str | Path) -> dict[str, int]:
    """Write the shop as CSV files under ``folder/data``, with ``metadata.yaml`` and the configuration ``shop.yaml``.

    Args:
        folder: a new or an empty folder.

    Returns:
        {table: rows}.

    Raises:
        ConfigError: there is something in the folder, or it cannot be written.
    """
    place, tables = Path(folder), example_tables()
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise ConfigError(f"{folder} is not empty; name a folder that is new")
        (place / "data").mkdir(parents=True)
        for table, rows in tables.items():
            with (place / "data" / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        (place / "metadata.yaml").write_text(METADATA, encoding="utf-8")
        (place / "shop.yaml").write_text(CONFIG.format(folder=place.as_posix()), encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{folder} cannot be written: {e.strerror}; name another folder") from e
    return {table: len(rows) for table, rows in tables.items()}


def _customers(chance: _Chance, count: int) -> Iterator[Row]:
    first, last = FIRST_NAMES.split(), LAST_NAMES.split()
    for i in range(count):
        name = f"{chance.one(first)} {chance.one(last)}"
        city = chance.one(list(CITIES), [weight for _, weight in CITIES.values()])
        yield {
            "customer_id": 1001 + i,
            "name": name,
            "email": f"{name.lower().replace(' ', '.')}{i + 1}@example.org",
            "city": city,
            "country": CITIES[city][0],
            "segment": chance.one(("private", "business"), (3, 1)),
            "joined_on": (FIRST_DAY + dt.timedelta(days=chance.whole(0, 364))).date(),
        }


def _products(chance: _Chance) -> Iterator[Row]:
    colours = COLOURS.split()
    every = [
        (category, thing, colour) for category in THINGS for thing in THINGS[category][0].split() for colour in colours
    ]
    for i, (category, thing, colour) in enumerate(every):
        least, most = THINGS[category][1:]
        price = least * (most / least) ** chance.next()  # cheap ones are more frequent than dear ones
        yield {
            "product_id": f"P-{i + 1:04d}",
            "name": f"{colour} {thing}",
            "category": category,
            "price": f"{round(price * 2) / 2:.2f}",
        }


def _orders(chance: _Chance, customers: Sequence[Row]) -> Iterator[Row]:
    number = 0
    for customer in customers:
        often = 6 if customer["segment"] == "business" else 2
        for _ in range(chance.whole(0, 2 * often)):
            number += 1
            since = (customer["joined_on"] - FIRST_DAY.date()).days
            ordered = FIRST_DAY + dt.timedelta(days=chance.whole(since, DAYS - 1), minutes=chance.whole(480, 1320))
            late = ordered > FIRST_DAY + dt.timedelta(days=DAYS - 45)
            status = chance.one(("open", "shipped", "returned"), (6, 4, 0) if late else (1, 17, 2))
            shipped = ordered + dt.timedelta(hours=chance.whole(3, 96))
            yield {
                "order_id": 50000 + number,
                "customer_id": customer["customer_id"],
                "ordered_at": ordered.isoformat(sep=" "),
                "status": status,
                "shipped_at": None if status == "open" else shipped.isoformat(sep=" "),
            }


def _items(chance: _Chance, order: Row, segment: str, products: Sequence[Row]) -> Iterator[Row]:
    for line in range(1, 1 + chance.one((1, 2, 3, 4, 5), (8, 6, 4, 2, 1))):
        product = chance.one(products)
        quantity = chance.whole(2, 20) if segment == "business" else chance.one((1, 2, 3, 4), (12, 4, 2, 1))
        yield {
            "order_id": order["order_id"],
            "line": line,
            "product_id": product["product_id"],
            "quantity": quantity,
            "unit_price": product["price"],
            "amount": f"{quantity * float(product['price']):.2f}",
        }


def _reviews(chance: _Chance, products: Sequence[Row], customers: Sequence[int]) -> Iterator[Row]:
    number = 0
    for product in products:
        dear = float(product["price"]) > 60
        for _ in range(chance.whole(0, 12)):
            number += 1
            yield {
                "review_id": number,
                "product_id": product["product_id"],
                "customer_id": chance.one(customers),
                "rating": chance.one((1, 2, 3, 4, 5), (1, 1, 2, 5, 7) if dear else (2, 3, 5, 4, 2)),
                "written_on": (FIRST_DAY + dt.timedelta(days=chance.whole(200, DAYS - 1))).date(),
            }
