"""Randomness as a function of names and numbers: (seed, table, block, index), never of partitions or batches."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
LARGEST = 2**62  # positions: the digits of `times` stay exact up to here


def seed_of(*parts: object) -> int:
    """A 63-bit seed from any names and numbers; the same on every machine."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: object) -> np.random.Generator:
    """A numpy generator seeded by ``seed_of``."""
    return np.random.default_rng(seed_of(*parts))


def stride(n: int) -> int:
    """Multiplier coprime to n near the golden section: its multiples modulo n visit all of [0, n), spread evenly."""
    a = max(1, round(n * 0.6180339887498949))
    while math.gcd(a, n) != 1:
        a += 1
    return a


def scatter(index: Ints, n: int, offset: int = 0) -> Ints:
    """A bijection of [0, n) that spreads neighbours apart.

    Args:
        index: numbers in [0, n).
        n: at most 2**62.
        offset: where 0 goes.
    """
    return (times(index, stride(n), n) + offset % n) % n


def times(index: Ints, factor: int, n: int) -> Ints:
    """``index * factor % n``, exact: the factor goes in digits so short that no product leaves 64 bits.

    Args:
        index: numbers in [0, n).
        factor: a number in [1, n].
        n: at most 2**62.
    """
    if n > LARGEST:
        raise ValueError(f"{n} positions are more than 2**62, below which products are exact")
    digit = 63 - (n - 1).bit_length()  # bits by which a number below n may still grow
    length = -(-factor.bit_length() // digit)
    digits = [factor >> place * digit & (1 << digit) - 1 for place in reversed(range(length))]
    product: Ints = index * digits[0] % n
    for part in digits[1:]:
        product = ((product << digit) % n + index * part % n) % n
    return product


def scattered_below(first: int, n: int, bound: int) -> int:
    """How many of ``scatter(0, n)``, ..., ``scatter(first - 1, n)`` are less than ``bound``, in time log(n).

    A number modulo n is below the bound where subtracting the bound lowers its quotient by n; the quotients of an
    arithmetic sequence are summed as in Euclid's algorithm.
    """
    if not first:
        return 0
    return _sum_of_quotients(first, n, stride(n), 0) - _sum_of_quotients(first, n, stride(n), n - bound) + first


def _sum_of_quotients(terms: int, n: int, step: int, start: int) -> int:
    """The sum of (start + step * i) // n over i < terms."""
    total = 0
    while terms:
        total += step // n * (terms * (terms - 1) // 2) + start // n * terms
        step, start = step % n, start % n
        terms, rest = divmod(step * terms + start, n)
        n, step, start = step, n, rest
    return total


def uniform(index: Ints, salt: int = 0) -> Floats:
    """A number in [0, 1) for each index, shape (n,)."""
    found: Floats = (mix(index, salt) >> np.uint64(11)) / 2.0**53
    return found


def mix(index: Ints, salt: int = 0) -> npt.NDArray[np.uint64]:
    """Bijective 64-bit mixing (splitmix64; Steele, Lea, Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        z = index.astype(np.uint64) + np.uint64(salt % 2**64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
