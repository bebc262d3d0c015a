"""A text is put together from other columns and constants: a word and the padded key, an address from names.

Where only a part of a text follows from a column (the first digits of a phone number), the rest stays as it is drawn.
Constants stand on every row, and personal texts are put together from other personal columns alone: what follows from a
key of the copy, which begins where the source's does, would be what the source has there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import EVIDENCE, ROWS, Column, Reach, Sample, evidence
from synthohive_spark.rules.forms import Form, forms_of, number_forms, optional_forms, values_of
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.value_kind import Candidate, ValueKind
from synthohive_spark.sql import text_literal

READ = 64  # rows on which a text is taken apart
CHECKED = 4_096  # rows on which it is put together again
ATTEMPTS = 3  # at reading a text: rows that refute one are read in the next
TRIED = 12.0  # nats: some exp(12) forms of columns are tried at each place
PARTS = 16  # of a text, constants among them
TOKEN = re.compile(r"[0-9]+|[^\W\d_]+|[\W_]|.", re.DOTALL)
NUMBERS, LETTERS = "[0-9]+", r"\p{L}+"
SORTS = (NUMBERS.removesuffix("+"), LETTERS.removesuffix("+"))


@dataclass(frozen=True)
class _Part:
    """A part of a text: a constant, or a form of a column."""

    constant: str = ""
    form: Form | None = None

    def sql(self, place: int) -> str:
        """Its SQL; the column is the input at a place."""
        if self.form is None:
            return _escaped(text_literal(self.constant))
        return self.form.sql.replace("{0}", f"{{{place}}}")


class TextOfParts(ValueKind):
    """Texts read from left to right, each part as long as it can be."""

    name = "text"
    order = 12
    casts = False
    impersonal = True

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """None for all targets: each text is taken apart for itself."""
        return iter(())

    def search(self, sample: Sample) -> list[Law]:
        """For each text what it is put together from, else which of its parts follow from columns."""
        found = list[Law]()
        for target in sample.targets:
            known = len(target.known)
            texts = sample.texts.get(target.id)  # those that are long are left out
            whole = texts is not None and sample.rows - texts.null_count == known >= max(ROWS, sample.least)
            if whole and target.distinct > 1:
                law = _whole(sample, target) or _partly(sample, target)
                found += [law] if law is not None else []
        return found

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """The text; where a part of it does not follow, what was drawn around those that do."""
        own = names[law.target]
        made = law.sql.format(*(names[i] for i in law.inputs), own=own)
        if law.reach == "fill":
            return f"coalesce({made}, {own})"
        return made if law.reach == "whole" else f"if({own} is null, null, coalesce({made}, {own}))"


def _whole(sample: Sample, target: Column) -> Law | None:
    """The law of a text that is put together from columns and constants on every row.

    Rows that refute what some rows told are read with these once more: most names have no space, some do.
    """
    every = spread_rows(np.arange(sample.rows), CHECKED)
    shown = values_of(sample, target, every)
    rows = spread_rows(np.flatnonzero(~np.isnan(target.values)), READ)
    for _ in range(ATTEMPTS):
        parts = _taken_apart(values_of(sample, target, rows), forms_of(sample, target, rows))
        used = [part.form for part in parts if part.form is not None]
        if not used or (len(parts) == 1 and used[0].sql == "{0}"):
            return None
        pairs = list(zip(shown, _put_together(sample, parts, every), strict=True))
        both = [i for i, (a, b) in enumerate(pairs) if a is not None and b is not None]
        wrong = [i for i in both if pairs[i][0] != pairs[i][1]]
        if not wrong:
            return _put(target, parts, pairs) if convincing([shown[i] for i in both]) else None
        rows = np.append(rows, every[spread_rows(np.array(wrong), READ)])
    return None


def _put(target: Column, parts: Sequence[_Part], pairs: Sequence[tuple[str | None, str | None]]) -> Law:
    """The law of a text from its parts, that reaches as far as the pairs of what it is and what it is made of say."""
    reach: Reach = "whole"
    if any((a is None) != (b is None) for a, b in pairs):
        reach = "part" if any(a is None and b is not None for a, b in pairs) else "fill"
    used = [part.form for part in parts if part.form is not None]
    places = iter(range(len(used)))
    each = [part.sql(0 if part.form is None else next(places)) for part in parts]
    return _law(target, used, f"concat({', '.join(each)})" if len(each) > 1 else each[0], reach)


def _taken_apart(texts: list[str], forms: list[Form]) -> list[_Part]:
    """The parts of texts; none where they have others."""
    rest, parts = texts, list[_Part]()
    while any(rest):
        fits = [f for f in [*forms, *number_forms(forms, rest)] if all(map(_begins, rest, f.values))]
        fits += optional_forms(forms, rest)
        best = max(fits, key=lambda f: sum(map(len, f.values)), default=None)
        if best is not None:
            parts.append(_Part(form=best))
            rest = [text[len(value) :] for text, value in zip(rest, best.values, strict=True)]
        elif rest[0] and len({text[:1] for text in rest}) == 1:
            last = parts.pop().constant if parts and parts[-1].form is None else ""
            parts.append(_Part(constant=last + rest[0][0]))
            rest = [text[1:] for text in rest]
        else:
            return []
        if len(parts) > PARTS:
            return []
    return parts


def _begins(text: str, value: str) -> bool:
    return bool(value) and text.startswith(value)


def _put_together(sample: Sample, parts: Sequence[_Part], rows: Ints) -> list[str | None]:
    """The text of the parts on some rows; None where a column is null."""
    shown = [[p.constant] * len(rows) if p.form is None else _shown(sample, p.form, rows) for p in parts]
    return [None if None in row else "".join(map(str, row)) for row in zip(*shown, strict=True)]


def _shown(sample: Sample, form: Form, rows: Ints) -> list[str | None]:
    nothing = "" if form.optional else None
    return [nothing if v is None else form.make(v) for v in values_of(sample, form.column, rows)]


def _partly(sample: Sample, target: Column) -> Law | None:
    """The law of a text whose first parts are of one sort on all rows, and some of them forms of columns."""
    rows = spread_rows(np.flatnonzero(~np.isnan(target.values)), READ)
    tokens = [TOKEN.findall(text) for text in values_of(sample, target, rows)]
    forms, used, pieces = forms_of(sample, target, rows), list[Form](), list[tuple[str, str]]()
    every = spread_rows(np.arange(sample.rows), CHECKED)
    apart = [None if t is None else TOKEN.findall(t)[:PARTS] for t in values_of(sample, target, every)]
    for n in range(min(PARTS, *map(len, tokens))):
        here = [t[n] for t in tokens]
        pattern = pattern_of(here)
        if pattern is None:
            break
        fits = [f for f in [*forms, *number_forms(forms, here)] if list(f.values) == here]
        form = next((f for f in fits if _holds(apart, n, _shown(sample, f, every))), None)
        if form is not None:
            pieces.append((pattern, _Part(form=form).sql(len(used))))
            used.append(form)
        else:
            always = all(t is None or t[n : n + 1] == here[:1] for t in apart)
            pieces.append((pattern, _Part(constant=here[0]).sql(0) if always else ""))
    return _law(target, used, _around(pieces), "part") if used else None


def _around(pieces: Sequence[tuple[str, str]]) -> str:
    """A text whose first tokens are replaced where there is SQL for them, as a law says it."""
    return with_tokens("{own}", pieces, lambda text: _escaped(text_literal(text)))


def with_tokens(own: str, pieces: Sequence[tuple[str, str]], literal: Callable[[str], str] = text_literal) -> str:
    """Spark SQL of a text whose first tokens, given as patterns, are replaced where there is SQL for them.

    Args:
        own: SQL of the text.
        pieces: (pattern, SQL) of each token; no SQL where it stays.
        literal: SQL of a constant.
    """
    last = max(n for n, (pattern, value) in enumerate(pieces) if value and pattern.startswith(SORTS)) + 1
    patterns, parts = [pattern for pattern, _ in pieces], list[str]()
    for n, (pattern, value) in enumerate(pieces[:last]):
        drawn = literal(f"^{''.join(patterns[:n])}({pattern})")
        parts.append(value or f"regexp_extract({own}, {drawn}, 1)")
    whole = literal(f"^{''.join(patterns[:last])}")
    parts.append(f"regexp_replace({own}, {whole}, '')")
    return f"if({own} rlike {whole}, concat({', '.join(parts)}), {own})"


def _holds(apart: Sequence[list[str] | None], place: int, made: Sequence[str | None]) -> bool:
    """Whether one token of texts is what was made of a column, on all rows that have both, and by no accident."""
    both = [(tokens, value) for tokens, value in zip(apart, made, strict=True) if tokens and value is not None]
    same = all(len(tokens) > place and tokens[place] == value for tokens, value in both)
    return same and convincing([value for _, value in both])


def pattern_of(tokens: Sequence[str]) -> str | None:
    """The pattern of tokens that are of one sort on all rows."""
    if all(t.isdigit() and t.isascii() for t in tokens):
        return NUMBERS
    if all(t.isalpha() for t in tokens):
        return LETTERS
    return re.escape(tokens[0]) if len({*tokens}) == 1 else None


def convincing(texts: Sequence[str]) -> bool:
    """Whether chance would not agree in so many texts."""
    codes = np.unique(np.array(texts, dtype=object), return_inverse=True)[1] if texts else np.zeros(0)
    return len(texts) >= ROWS and evidence(codes.astype(np.float64)) >= EVIDENCE + TRIED


def _law(target: Column, used: Sequence[Form], sql: str, reach: Reach) -> Law:
    return Law("text", target.id, tuple(f.column.id for f in used), sql, reach, "", target.distinct)


def _escaped(sql: str) -> str:
    """SQL without places for columns."""
    return sql.replace("{", "{{").replace("}", "}}")


def spread_rows(rows: Ints, count: int) -> Ints:
    """So many of the rows at most."""
    places: Ints = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)
    return rows[places]
