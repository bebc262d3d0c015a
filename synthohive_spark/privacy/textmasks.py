"""The masks of a text column, as Spark aggregates: kinds that follow a standard, then lengths and character classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.lake.quantiles import exact
from synthohive_spark.privacy.masks import Mask
from synthohive_spark.privacy.support import Support
from synthohive_spark.privacy.textkinds import ANY, KINDS, TextKind, meets
from synthohive_spark.sql import quote

MASKS = 50  # of a column that are told apart, the most frequent ones; others are written as these
COVER = 0.8  # masks must cover this share of the rows, else the strings count as free text
LENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of the lengths of free text that its copies have
WORD = 6  # letters of a word of free text
LETTERS = 1000  # letters of an alphabet of the source, the commonest ones
OVERLAP = 200  # strings of another mask that are looked at for some of a kind
OPAQUE = {"digit": "^[0-9]+$", "hex": "^[0-9a-f]+$", "HEX": "^[0-9A-F]+$", "alnum": "^[0-9A-Za-z]+$"}
# Marks that no text holds (private use). A class of characters is one mark in a mask, a kind of text is a whole mask.
CAPITAL, LETTER, NUMERAL = "\ue000", "\ue001", "\ue002"
MARKS = {chr(0xE010 + i): kind for i, kind in enumerate(KINDS)}
LATIN = {"9": "digit", "A": "upper", "a": "lower"}
FOREIGN = {CAPITAL: "capital", LETTER: "letter", NUMERAL: "numeral"}  # of other scripts: the letters that the text uses
CLASSES = {
    CAPITAL: r"[^\P{Lu}\p{IsLatin}]",
    LETTER: r"[^\P{L}\p{IsLatin}]|\p{M}",
    NUMERAL: r"[^\P{Nd}0-9]",
    "9": r"[0-9]",
    "A": r"[^\P{Lu}\P{IsLatin}]",
    "a": r"[^\P{L}\P{IsLatin}A]",
}
BESIDE = {"capital": "letter", "letter": "lower", "numeral": "digit"}  # where the source shows too few of a class


def text_masks(frame: DataFrame, column: str, rows: int, support: Support, personal: bool = False) -> tuple[Mask, ...]:
    """Shapes of a string column: one token per character; a prefix that all values of a shape share is kept.

    Args:
        frame: the table, as ``support`` counts it.
        column: a column of it; non-strings are read as text.
        rows: rows of the table.
        support: a shape, its prefix and a letter of another script are kept where enough people have it.
        personal: no letter and no digit of the source is kept, whoever shares it.
    """
    text = F.col(quote(column)).cast("string")
    known = frame.where(text.isNotNull()).select(text.alias("t"), *support.columns)
    found = (
        known.groupBy(_mask(F.col("t")).alias("mask"))
        .agg(
            F.count(F.lit(1)).alias("n"),
            support.count().alias("held"),
            F.min("t").alias("low"),
            F.max("t").alias("high"),
        )
        .where((F.col("held") >= support.least) | F.col("mask").isin(list(MARKS)))
        .orderBy(F.desc("n"), "mask")
        .limit(MASKS)
        .collect()
    )
    kinds = [(MARKS.get(r["mask"]), r) for r in found]
    standard = [(kind, kind.mask(r["n"] / rows, r["low"], r["high"])) for kind, r in kinds if kind is not None]
    plain = [r for kind, r in kinds if kind is None]
    if sum(r["n"] for r in found) < COVER * rows:
        rest = known.where(~_mask(F.col("t")).isin(list(MARKS)))
        left = 1.0 - sum(mask.share for _, mask in standard)
        return (*(mask for _, mask in standard), *_opaque(rest, left, support))
    wanted = {ch for r in plain for ch in r["mask"] if ch in FOREIGN}
    own = _alphabets(known, wanted, support) if wanted else {}
    return disjoint(standard, [_plain(r, own, personal, r["n"] / rows) for r in plain])


def _mask(text: Column) -> Column:
    """The mark of its kind, or each character's class; what is neither letter nor digit stands for itself."""
    mask = text
    for mark, pattern in CLASSES.items():
        mask = F.regexp_replace(mask, pattern, mark)
    standard = mask
    for mark, kind in reversed(MARKS.items()):
        standard = F.when(text.rlike(f"^({kind.pattern})$"), F.lit(mark)).otherwise(standard)
    return F.when(text.rlike(f"^{ANY}$"), standard).otherwise(mask)


def _alphabets(known: DataFrame, wanted: set[str], support: Support) -> dict[str, tuple[str, ...]]:
    """{class: the letters of it that enough rows use}, in the order of their code points."""
    own: dict[str, tuple[str, ...]] = {}
    for mark in sorted(wanted):
        letters = F.array_distinct(F.regexp_extract_all("t", F.lit(f"({CLASSES[mark]})")))
        each = known.select(F.explode(letters).alias("letter"), *support.columns)
        used = each.groupBy("letter").agg(support.count().alias("n"))
        kept = used.where(F.col("n") >= support.least).orderBy(F.desc("n"), "letter").limit(LETTERS).collect()
        if kept:
            own[FOREIGN[mark]] = tuple(sorted(r["letter"] for r in kept))
    return own


def _named(mark: str, own: dict[str, tuple[str, ...]]) -> str:
    """The token of a class: of a script that the source shows too little of, the next best."""
    name = {**LATIN, **FOREIGN}.get(mark, mark)
    while name in BESIDE and name not in own:
        name = BESIDE[name]
    return name


def _plain(row: Any, own: dict[str, tuple[str, ...]], personal: bool, share: float) -> Mask:
    """The mask of a shape; its shared prefix stays literal as long as the rest has room for ten times the rows."""
    tokens = [_named(ch, own) for ch in row["mask"]]
    used = {name: words for name, words in own.items() if name in tokens}
    prefix = "" if personal else _shared_prefix(row["low"], row["high"])
    for keep in range(len(prefix), 0, -1):
        candidate = Mask(tokens=(*prefix[:keep], *tokens[keep:]), share=share, own=used)
        if candidate.capacity >= 10 * row["n"]:
            return candidate
    return Mask(tokens=tuple(tokens), share=share, own=used)


def _shared_prefix(low: str, high: str) -> str:
    """What the least and the greatest of some strings start with: so do all between them."""
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:length]


def disjoint(standard: list[tuple[TextKind, Mask]], plain: list[Mask]) -> tuple[Mask, ...]:
    """Masks of which no two make one string: where a shape also makes values of a kind, the commoner of both stays."""
    sample = {i: m.strings(np.arange(min(m.capacity, OVERLAP)), 0).tolist() for i, m in enumerate(plain)}
    kept = []
    for kind, mask in standard:
        shared = [i for i, texts in sample.items() if meets(kind, texts)]
        if all(plain[i].share <= mask.share for i in shared):
            kept.append(mask)
            sample = {i: texts for i, texts in sample.items() if i not in shared}
    return (*kept, *(plain[i] for i in sample))


def _opaque(rest: DataFrame, share: float, support: Support) -> tuple[Mask, ...]:
    """Strings of too many shapes: hashes, or free text of the same lengths, in the script of the source."""
    text = F.col("t")
    foreign = text.rlike(f"{CLASSES[CAPITAL]}|{CLASSES[LETTER]}")
    row = (
        rest.withColumn("length", F.length(text))
        .agg(
            exact("length", LENGTHS).alias("lengths"),
            F.avg(foreign.cast("double")).alias("foreign"),
            *(F.avg(text.rlike(pattern).cast("double")).alias(name) for name, pattern in OPAQUE.items()),
        )
        .first()
    )
    if row is None or row["lengths"][0] is None:
        return (Mask(tokens=("lower",) * WORD, share=share),) if share > 0 else ()
    alphabet = next((name for name in OPAQUE if row[name] == 1.0), None)
    own = _alphabets(rest, {CAPITAL, LETTER}, support) if row["foreign"] > 0.5 else {}
    lengths = [max(1, int(n)) for n in row["lengths"]]
    return tuple(
        Mask(
            tokens=(alphabet,) * n if alphabet else _words(n, own),
            share=share * lengths.count(n) / len(lengths),
            own=own,
        )
        for n in sorted(set(lengths))
    )


def _words(length: int, own: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Words of free text: in the Latin script consonants and vowels take turns, so that they can be read."""
    if "letter" in own:
        first, others = _named(CAPITAL, own), ("letter", "letter")
    else:
        first, others = "Consonant", ("consonant", "vowel")
    return tuple(
        first if i == 0 else " " if i % (WORD + 1) == WORD and i < length - 1 else others[i % (WORD + 1) % 2]
        for i in range(length)
    )
