"""Formulas of one to four numbers, with constants and rounding: found where they are planted, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.rules.test_search import found

N = 1_200
RNG = np.random.default_rng(17)


def cents(low: float, high: float) -> Any:
    return RNG.integers(int(low * 100), int(high * 100), N) / 100


PRICE, QUANTITY, FREIGHT = cents(1, 90), RNG.integers(1, 30, N), cents(2, 40)
DISCOUNT, TAX, PERCENT = RNG.integers(0, 11, N) / 100, RNG.integers(0, 9, N) / 100, RNG.integers(0, 60, N)
COLUMNS = {
    "price": PRICE,
    "quantity": QUANTITY,
    "freight": FREIGHT,
    "discount": DISCOUNT,
    "tax": TAX,
    "percent": PERCENT,
}


@pytest.mark.parametrize(
    ("sql", "made"),
    [
        ("round(try_multiply(price, 0.08), 4)", PRICE * 0.08),
        ("round(try_add(try_multiply(price, 0.029), 0.3), 2)", np.round(PRICE * 0.029 + 0.3 + 1e-9, 2)),
        ("round(try_multiply(price, 0.025), 2)", np.round(PRICE * 0.025 + 1e-9, 2)),
        ("round(try_multiply(try_multiply(price, quantity), 1.19), 2)", np.round(PRICE * QUANTITY * 1.19, 2)),
        (
            "round(try_multiply(try_multiply(price, quantity), try_subtract(1, discount)), 2)",
            np.round(PRICE * QUANTITY * (1 - DISCOUNT), 2),
        ),
        (
            "round(try_multiply(try_multiply(price, quantity), "
            "try_multiply(try_subtract(1, discount), try_add(1, tax))), 2)",
            np.round(PRICE * QUANTITY * (1 - DISCOUNT) * (1 + TAX), 2),
        ),
        (
            "round(try_multiply(try_multiply(try_multiply(price, quantity), try_subtract(100, percent)), 0.01), 2)",
            np.round(PRICE * QUANTITY * (100 - PERCENT) / 100, 2),
        ),
        (
            "round(try_subtract(try_multiply(try_multiply(price, quantity), 1.19), 0.00499999), 2)",
            np.floor(PRICE * QUANTITY * 119 + 1e-6) / 100,
        ),
        (
            "round(try_add(try_multiply(try_multiply(price, quantity), 0.025), 0.499999), 0)",
            np.ceil(PRICE * QUANTITY / 40 - 1e-9),
        ),
        ("round(try_multiply(try_divide(freight, price), 100), 1)", np.round(100 * FREIGHT / PRICE, 1)),
        (
            "round(try_multiply(try_multiply(price, quantity), freight), 2)",
            np.round(PRICE * FREIGHT * QUANTITY, 2),
        ),
        (
            "round(try_multiply(try_add(price, freight), try_subtract(1, discount)), 2)",
            np.round((PRICE + FREIGHT) * (1 - DISCOUNT), 2),
        ),
        ("round(try_add(try_add(price, quantity), freight), 2)", (PRICE + FREIGHT + QUANTITY).round(2)),
        (
            "round(try_subtract(try_add(price, freight), tax), 2)",
            (PRICE + FREIGHT - TAX).round(2),
        ),
        (
            "round(try_subtract(try_multiply(price, quantity), discount), 2)",
            (PRICE * QUANTITY - DISCOUNT).round(2),
        ),
        (
            "round(try_subtract(try_subtract(try_add(price, freight), discount), tax), 2)",
            (PRICE + FREIGHT - DISCOUNT - TAX).round(2),
        ),
        (
            "round(try_multiply(try_subtract(try_add(price, freight), quantity), tax), 2)",
            np.round((PRICE + FREIGHT - QUANTITY) * TAX, 2),
        ),
        (
            "round(try_multiply(try_add(try_add(price, quantity), freight), percent / 100), 2)",
            np.round((PRICE + FREIGHT + QUANTITY) * PERCENT / 100, 2),
        ),
    ],
)
def test_a_planted_formula_is_found_and_one_that_nearly_holds_is_not(sql: str, made: Any) -> None:
    laws = found({**COLUMNS, "made": made})
    assert sql in laws.get("made", []), laws.get("made")
    near = np.where(RNG.random(N) < 0.03, made + 1.5, made)
    assert [sql for laws in found({**COLUMNS, "made": near}).values() for sql in laws if "round(" in sql] == []


def test_nothing_is_made_of_numbers_that_have_nothing_to_do_with_each_other() -> None:
    small = {f"s{i}": RNG.integers(0, high, N) for i, high in enumerate((2, 3, 5, 9, 20, 50))}
    large = {f"l{i}": cents(0, high) for i, high in enumerate((1, 10, 1_000, 90_000))}
    assert [sql for laws in found({**COLUMNS, **small, **large}).values() for sql in laws if "round(" in sql] == []
    few = {n: v[:40] for n, v in {**COLUMNS, **small, **large}.items()}
    assert [sql for laws in found(few).values() for sql in laws if "round(" in sql] == []


def test_the_lesser_the_greater_and_what_is_above_zero() -> None:
    asked, limit = cents(1, 90), cents(20, 60)
    columns = {"asked": asked, "ceiling": limit, "other": cents(1, 90)}
    lesser = found({**columns, "paid": np.minimum(asked, limit)})["paid"]
    assert lesser[0].startswith("round(if(asked <= ceiling, asked, ")
    greater = found({**columns, "paid": np.maximum(asked, limit)})["paid"]
    assert greater[0].startswith("round(if(asked >= ceiling, asked, ")
    above = found({**columns, "paid": np.round(np.maximum(asked - limit, 0), 2)})["paid"]
    assert above == ["round(if(try_subtract(asked, ceiling) < 0, 0, try_subtract(asked, ceiling)), 2)"]
    assert found({**columns, "paid": np.where(RNG.random(N) < 0.99, np.minimum(asked, limit), 7)}) == {}


def test_a_share_of_a_sum_is_found_beside_the_sum_that_it_goes_into() -> None:
    asked = np.round((PRICE + FREIGHT - QUANTITY) * TAX, 2)
    laws = found({**COLUMNS, "asked": asked, "total": (PRICE + FREIGHT - QUANTITY + asked).round(2)})
    assert "round(try_multiply(try_subtract(try_add(price, freight), quantity), tax), 2)" in laws["asked"]
    assert "round(try_subtract(try_add(try_add(price, freight), asked), quantity), 2)" in laws["total"]
