from __future__ import annotations

import datetime as dt
import re
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.errors import GenerationError
from synthohive_spark.privacy.masks import ALPHABETS, Mask
from synthohive_spark.schema.key_format import KeyFormat

UUID = tuple("hex" if ch == "h" else ch for ch in "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")
TOKENS = [*ALPHABETS, "-", "_", "X", "7"]


def strings(*masks: tuple[str, ...]) -> KeyFormat:
    made = tuple(Mask(tokens=tuple(m), share=1 / len(masks)) for m in masks)
    return KeyFormat(kind="string", masks=made)


def all_values(form: KeyFormat, total: int, salt: int = 0) -> list[object]:
    return form.values(np.arange(total), total, salt).tolist()


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6), st.integers(1, 2000))
def test_integers_count_up(start: int, step: int, total: int) -> None:
    assert all_values(KeyFormat(kind="integer", start=start, step=step), total) == list(
        range(start, start + step * total, step)
    )


@given(st.integers(-10_000, 20_000), st.integers(1, 40), st.integers(1, 300))
def test_dates_and_times_count_up(start: int, step: int, total: int) -> None:
    days = all_values(KeyFormat(kind="date", start=start, step=step), total)
    assert days[0] == dt.date(1970, 1, 1) + dt.timedelta(days=start)
    assert len(set(days)) == total
    times = KeyFormat(kind="timestamp", start=start * 10**6, step=step).values(np.arange(total), total)
    assert times.dtype == "datetime64[us]"
    assert times.is_unique


@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12), st.integers(1, 1500), st.integers(0, 2**62))
def test_strings_of_one_mask_are_distinct(tokens: list[str], total: int, salt: int) -> None:
    assert len(set(all_values(strings(tuple(tokens)), total, salt))) == total


@given(st.integers(1, 3000), st.integers(0, 2**62))
def test_strings_of_several_masks_are_distinct_and_share_the_rows(total: int, salt: int) -> None:
    form = strings(("N", "digit", "digit", "digit"), ("N", "digit", "digit", "upper"), ("N", "digit", "upper", "upper"))
    made = all_values(form, total, salt)
    assert len(set(made)) == total
    assert all(re.fullmatch(r"N\d(\d\d|\d[A-Z]|[A-Z][A-Z])", str(v)) for v in made)
    if total >= 30:
        assert sum(str(v)[1:].isdigit() for v in made) == pytest.approx(total / 3, abs=3)


def test_uuids_are_distinct_and_look_like_uuids() -> None:
    made = all_values(strings(UUID), 50_000, salt=9)
    assert len(set(made)) == 50_000
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(v)) for v in made[:1000])
    leading = {str(v)[:2] for v in made[:2000]}
    assert len(leading) > 100, "the first characters vary too"


def test_positions_far_apart_stay_distinct_in_a_large_table() -> None:
    total = 500_000_000
    index = np.concatenate([np.arange(0, total, 9973), total - 1 - np.arange(1000)])
    for form in (strings(UUID), strings(("alnum",) * 5), strings(("digit",) * 9)):
        assert form.values(np.unique(index), total, 5).is_unique


def test_a_value_depends_on_its_position_and_not_on_the_batch() -> None:
    form, index = strings(("C", "-", "digit", "digit", "digit", "digit")), np.array([812, 3, 77])
    whole = all_values(form, 1000, salt=4)
    assert form.values(index, 1000, 4).tolist() == [whole[i] for i in index]


def test_another_salt_gives_other_strings() -> None:
    form = strings(UUID)
    assert not set(all_values(form, 100, salt=1)) & set(all_values(form, 100, salt=2))


@pytest.mark.parametrize(
    "masks",
    [
        [("digit",)],
        [("A", "digit")],
        [()],
        [("X",)],
        [("digit",), ("digit", "digit"), ("upper", "-", "digit")],
        [("1", "digit", "digit", "digit"), ("1", "2", "3", "digit", "digit")],
    ],
)
def test_a_full_format_grows_longer_keys(masks: list[tuple[str, ...]]) -> None:
    total = 5000
    made = all_values(strings(*masks), total)
    assert len(set(made)) == total
    longest = max(len(m) for m in masks)
    assert max(len(str(v)) for v in made) <= longest + 4


def test_a_format_that_cannot_grow_is_refused() -> None:
    with pytest.raises(GenerationError, match=r"cannot hold .* lower generate\.scale"):
        strings(("digit",)).values(np.arange(2), 2**31 + 1)


def test_random_strings_keep_the_shares_of_shapes() -> None:
    form = KeyFormat(
        kind="string",
        masks=(Mask(tokens=("digit",) * 3, share=0.9), Mask(tokens=("upper", "-", "lower"), share=0.1)),
    )
    drawn = form.draw(5000, np.random.default_rng(0))
    assert drawn.str.fullmatch(r"\d{3}").mean() == pytest.approx(0.9, abs=0.02)
    assert drawn.str.fullmatch(r"\d{3}|[A-Z]-[a-z]").all()


def test_counted_keys_stay_within_the_ends_of_their_type() -> None:
    tiny = KeyFormat(kind="integer", start=100, step=9, least=-128, most=127)
    assert all_values(tiny, 4) == [100, 109, 118, 127]
    assert all_values(tiny, 20) == list(range(100, 120))
    assert all_values(tiny, 256) == list(range(-128, 128))
    assert tiny.holds(256)
    assert not tiny.holds(257)
    with pytest.raises(GenerationError, match=r"cannot hold .* lower generate\.scale"):
        all_values(tiny, 257)


def test_numbers_beyond_a_long_are_exact() -> None:
    low, high = 1 - 10**38, 10**38 - 1
    form = KeyFormat(kind="decimal", start=low, step=(high - low) // 4, scale=2, least=low, most=high)
    made = all_values(form, 5)
    assert made[0] == Decimal(low).scaleb(-2, Context(prec=40))
    assert len(set(made)) == 5
    bigint = KeyFormat(kind="integer", start=-(2**63), step=2**62, least=-(2**63), most=2**63 - 1)
    assert all_values(bigint, 4) == [-(2**63), -(2**62), 0, 2**62]


@pytest.mark.parametrize(
    ("kind", "scale", "expected"),
    [("boolean", 0, [False, True]), ("double", 1, [0.0, 0.1]), ("decimal", 2, [Decimal("0.00"), Decimal("0.01")])],
)
def test_kinds_that_are_counted(kind: Any, scale: int, expected: list[Any]) -> None:
    assert all_values(KeyFormat(kind=kind, scale=scale, least=0, most=1), 2) == expected


@pytest.mark.parametrize("width", [2, 3])
def test_keys_are_never_wider_than_their_column(width: int) -> None:
    form = KeyFormat(kind="string", masks=(Mask(tokens=("K", "digit"), share=1.0),), width=width)
    made = all_values(form, 100)
    assert len(set(made)) == 100
    assert max(map(len, map(str, made))) <= width
    assert form.holds(62**width)
    assert not form.holds(62**width + 1)


def test_binary_keys_are_distinct_bytes() -> None:
    form = KeyFormat(kind="binary", masks=(Mask(tokens=("byte", "byte"), share=1.0),))
    made = all_values(form, 65_536, salt=3)
    assert len(set(made)) == 65_536
    assert {len(v) for v in made if isinstance(v, bytes)} == {2}
