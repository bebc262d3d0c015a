from __future__ import annotations

import pytest

from synthohive_spark.errors import WriteError
from synthohive_spark.lake.causes import first_line
from synthohive_spark.masking import masked, masked_traceback

OVERFLOW = (
    '[CAST_OVERFLOW] The value 92233720368547758081BD of the type "DECIMAL(20,0)" cannot be cast to "BIGINT" '
    'due to an overflow. If necessary set "spark.sql.ansi.enabled" to "false" to bypass this error. SQLSTATE: 22003'
)


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        (OVERFLOW, "92233720368547758081", ["CAST_OVERFLOW", '"BIGINT"', '"spark.sql.ansi.enabled"']),
        ("The value 'Jane Roe' of the type \"STRING\" is malformed", "Jane", ['"STRING"', "malformed"]),
        ('could not convert string to float: "O\'Brien"', "Brien", ["could not convert"]),
        ("Float value 1.5 was truncated", "1.5", ["Float value"]),
        ("row with values:\n - day : 2024-02-29\n - n : -5", "2024", ["day", "row with values"]),
        ("delta.`/lake/a1/t2` has no column id2", "#", ["/lake/a1/t2", "id2"]),
    ],
)
def test_field_09_messages_of_others_hold_no_value(text: str, secret: str, kept: list[str]) -> None:
    made = masked(text)
    assert secret not in made
    assert all(word in made for word in kept)
    assert secret not in first_line(ValueError(text))


def test_our_own_messages_stay_as_they_are() -> None:
    text = "orders.amount: 3 rows break 'a < 5'"
    assert first_line(WriteError(text)) == text
    assert first_line(RuntimeError(f"Traceback\n  File x\nConstraintViolationError: {text}")).endswith(text)


def test_field_09_a_traceback_holds_no_value_either() -> None:
    try:
        try:
            raise ValueError(OVERFLOW)
        except ValueError as e:
            raise RuntimeError("the value 17 of 'Jane'") from e
    except RuntimeError as e:
        made = masked_traceback(e)
    assert "92233720368547758081" not in made
    assert "Jane" not in made.replace("raise RuntimeError(\"the value 17 of 'Jane'\")", "")
    assert "test_masking.py" in made
    assert made.index("CAST_OVERFLOW") < made.index("RuntimeError: ")
