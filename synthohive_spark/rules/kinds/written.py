"""Parts of a key that is a text follow from other columns: the year in an invoice's number, the country in a plate.

What is left of the key tells its rows apart. So keys of the copy come from their position, as other keys do, with marks
where such parts stand, and the parts are put in once the row is made: two keys that differ beside the marks differ
after it, whatever stands at the marks, since the tokens of both are the same in number and kind.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from synthohive_spark.rules.choose import reached
from synthohive_spark.rules.evidence import EVIDENCE, Column, Sample, evidence
from synthohive_spark.rules.forms import forms_of, number_forms, values_of
from synthohive_spark.rules.kind import Decided, Kind, Law, Searched
from synthohive_spark.rules.kinds.text import (
    CHECKED,
    LETTERS,
    NUMBERS,
    PARTS,
    READ,
    TOKEN,
    TRIED,
    TextOfParts,
    convincing,
    pattern_of,
    spread_rows,
    with_tokens,
)
from synthohive_spark.schema.rule import Ancestor, Rule, worded
from synthohive_spark.sql import quote, text_literal

FEW = 32  # values of a column of which each may be written in another way
WIDEST = 9  # characters of a token that is looked at piece by piece: a number of the day, and one more
WIDTH = re.compile(r"\{([0-9]+)\}$")  # of a pattern of so many characters
OF_ITS_OWN = 0.5  # values, of the rows, from which on a text is as individual as the key that it is made from
MARK = 0xE100  # from here on, in the private use area: no text holds them, and a mask keeps them as they are
ANYTHING = {NUMBERS: "0", LETTERS: "X"}  # what stands at a mark where nothing follows


class WrittenKey(Rule):
    """Parts of a text key follow from columns of the row or of its ancestors.

    Attributes:
        patterns: of the first tokens of the key.
        values: Spark SQL of each of them; "" where it comes from the row's position.
        longest: characters that the parts had together in the source, at most.
        above: names of columns of ancestors in the context.
    """

    kind: Literal["written"] = "written"
    patterns: tuple[str, ...]
    values: tuple[str, ...]
    longest: int
    above: tuple[str, ...] = ()

    @property
    def places(self) -> list[int]:
        """Which tokens follow."""
        return [n for n, value in enumerate(self.values) if value]

    @property
    def marks(self) -> dict[str, str]:
        """{mark: pattern of what is put in its place}."""
        return {chr(MARK + n): self.patterns[n] for n in self.places}

    @property
    def blank(self) -> str:
        """Spark SQL of a key of the source with marks instead of what follows."""
        marked = [text_literal(chr(MARK + n)) if value else "" for n, value in enumerate(self.values)]
        return with_tokens(quote(self.column), [*zip(self.patterns, marked, strict=True)])

    @property
    def seen(self) -> tuple[str, ...]:
        """Columns of ancestors."""
        return self.above

    @property
    def sql(self) -> str:
        """The key with the parts at its marks."""
        made = quote(self.column)
        for n in self.places:
            value = f"coalesce({self.values[n]}, {text_literal(_anything(self.patterns[n]))})"
            made = f"replace({made}, {text_literal(chr(MARK + n))}, {value})"
        return made

    def check(self, types: Mapping[str, str]) -> str:
        """Whether the parts of a whole key are what they follow from."""
        own, pieces = quote(self.column), [*zip(self.patterns, self.values, strict=True)]
        return f"{own} <=> {with_tokens(own, pieces)}"

    def text(self, ancestor: Ancestor) -> str:
        """The parts and what they are."""
        parts = [f"part {n + 1} = {worded(self.values[n], self.above, ancestor)}" for n in self.places]
        return ", ".join(parts)


def _anything(pattern: str) -> str:
    """What stands at a mark of a pattern where nothing follows."""
    width = WIDTH.search(pattern)
    sort = NUMBERS if pattern.startswith(NUMBERS.removesuffix("+")) else LETTERS
    return ANYTHING[sort] * (1 if width is None else int(width[1]))


@dataclass(frozen=True)
class _Token:
    """What a token of a key follows from.

    Attributes:
        column: the column.
        sql: Spark SQL, with ``{0}`` for it.
    """

    column: Column
    sql: str

    def at(self, place: int) -> str:
        """The SQL with the column as the input at a place."""
        return self.sql.replace("{0}", f"{{{place}}}")


class Written(Kind):
    """Keys that are texts, token by token."""

    name = "written"
    order = 13
    impersonal = True

    def search(self, sample: Sample) -> list[Law]:
        """One law for each key of which a part follows."""
        keys = (c for c in sample.columns if c.id in sample.written and c.id in sample.texts)
        return [law for key in keys if (law := _law(sample, key)) is not None]

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """A key with what its parts follow from."""
        return with_tokens(names[law.target], _pieces(law, names))

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """The laws of which nothing follows from the key itself."""
        return [_rule(law, table) for law in laws if law.target not in reached(law.inputs, decided.after)]


def without_parts_of_keys(laws: Sequence[Law], keys: Collection[str], rows: int) -> list[Law]:
    """Laws without those that give a column from a part of a key that is made up, or that is to follow from it.

    What has as many values as the key is put together from it; what has fewer is a category in its own right, which the
    letters of a made-up key would scatter.

    Args:
        laws: verified ones.
        keys: ids of keys that are texts.
        rows: of the sample.
    """
    turned = {(key.target, column) for key in laws if key.kind == Written.name for column in key.inputs}

    def scatters(law: Law) -> bool:
        parts = law.kind == TextOfParts.name and law.distinct < OF_ITS_OWN * rows
        return any((key, law.target) in turned or (parts and key in keys) for key in law.inputs)

    return [law for law in laws if not scatters(law)]


def _rule(law: Law, table: Searched) -> WrittenKey:
    pieces = _pieces(law, table.references)
    return WrittenKey(
        column=table.names[law.target],
        patterns=tuple(pattern for pattern, _ in pieces),
        values=tuple(value for _, value in pieces),
        longest=law.facts["longest"],
        above=table.above(law.inputs),
    )


def _pieces(law: Law, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """(pattern, SQL) of each token of a law."""
    inputs = [names[i] for i in law.inputs]
    return [(pattern, sql.format(*inputs)) for pattern, sql in law.facts["pieces"]]


def _law(sample: Sample, key: Column) -> Law | None:
    """What the first tokens of a key follow from; None where none follows."""
    rows = spread_rows(np.arange(sample.rows), CHECKED)
    texts = values_of(sample, key, rows)
    if any(text is None for text in texts):
        return None
    apart = [TOKEN.findall(text) for text in texts]
    used, pieces, n = list[Column](), list[tuple[str, str]](), 0
    while n < min(PARTS, *map(len, apart)):
        here = [tokens[n] for tokens in apart]
        pattern = pattern_of(here)
        if pattern is None:
            break
        found = _token(sample, key, rows, here) if pattern in ANYTHING and len({*here}) > 1 else None
        if found is None and pattern in ANYTHING and (begin := _beginning(sample, key, rows, here)) is not None:
            width, found = begin
            pattern = f"{pattern.removesuffix('+')}{{{width}}}"
            apart = [[*t[:n], t[n][:width], t[n][width:], *t[n + 1 :]] for t in apart]
        pieces.append((pattern, "" if found is None else found.at(len(used))))
        used += [] if found is None else [found.column]
        n += 1
    if not used:
        return None
    pieces = pieces[: max(n for n, (_, sql) in enumerate(pieces) if sql) + 1]
    lengths = (sum(len(tokens[n]) for n, (_, sql) in enumerate(pieces) if sql) for tokens in apart)
    facts = {"pieces": pieces, "longest": max(lengths)}
    return Law(Written.name, key.id, tuple(c.id for c in used), "", distinct=key.distinct, facts=facts)


def _token(sample: Sample, key: Column, rows: Any, here: Sequence[str]) -> _Token | None:
    """What tokens follow from: a form of a column, else the values of one that has few."""
    if not convincing(here):
        return None
    looked = spread_rows(np.arange(len(rows)), READ)
    some = [here[i] for i in looked]
    forms = forms_of(sample, key, rows[looked])
    forms.sort(key=lambda form: form.column.distinct)  # the country itself before a code that holds it
    for form in [*forms, *number_forms(forms, some)]:
        if list(form.values) == some and form.column.id not in sample.written:
            made = [None if v is None else form.make(v) for v in values_of(sample, form.column, rows)]
            if made == [*here]:
                return _Token(form.column, form.sql)
    return next((token for c in sample.own if (token := _by_value(sample, c, rows, here)) is not None), None)


def _beginning(sample: Sample, key: Column, rows: Any, here: Sequence[str]) -> tuple[int, _Token] | None:
    """How many characters of tokens of one width follow from something, and from what: the year before a number."""
    if len({len(token) for token in here}) > 1:
        return None
    for width in range(min(len(here[0]), WIDEST) - 1, 0, -1):
        begin = [token[:width] for token in here]
        found = _token(sample, key, rows, begin) if len({*begin}) > 1 else None
        if found is not None:
            return width, found
    return None


def _by_value(sample: Sample, column: Column, rows: Any, here: Sequence[str]) -> _Token | None:
    """Tokens that follow from the values of a column that is not personal, each of which enough people have."""
    known = column.input and column.id in sample.texts and not np.isnan(column.values).any()
    if not known or not 2 <= column.distinct <= FEW:
        return None
    shown = values_of(sample, column, rows)
    told = dict(zip(shown, here, strict=True))
    if [told[value] for value in shown] != [*here]:
        return None
    each, codes = np.unique(column.values, return_inverse=True)
    held = sample.held(codes.astype(np.int64), len(each))
    chance = len(told) * math.log(len({*told.values()}))  # as many ways to write so many values
    tokens = np.unique(np.array(here, dtype=object), return_inverse=True)[1].astype(np.float64)
    if (held < sample.least).any() or len(each) != len(told) or evidence(tokens) < EVIDENCE + TRIED + chance:
        return None
    cases = [f"when {text_literal(v)} then {text_literal(t)}" for v, t in sorted(told.items())]
    escaped = " ".join(cases).replace("{", "{{").replace("}", "}}")
    return _Token(column, f"case {{0}} {escaped} end")
