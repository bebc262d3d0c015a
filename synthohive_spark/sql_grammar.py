"""The Spark SQL that a plan may hold: expressions of columns, literals and a closed list of functions.

A plan may come from somebody else, and Spark would run what it says. What is not known to be harmless is refused:
functions that load classes or read files, queries, comments, and everything that could be read in two ways.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>--|/\*)
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<name>`(?:[^`]|``)+`)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?:BD|[DLFSY])?(?!\w))
      | (?P<word>[^\W\d]\w*)
      | (?P<sign><=>|<=|>=|<>|!=|==|->|\|\||[-+*/%=<>!(),.\[\]&|^~])""",
    re.VERBOSE | re.DOTALL,
)
LITERALS = frozenset({"date", "timestamp", "timestamp_ltz", "timestamp_ntz"})  # what may stand right before a text


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


TYPES = _words(
    "boolean tinyint byte smallint short int integer bigint long float real double string binary decimal dec numeric "
    "varchar char date timestamp timestamp_ltz timestamp_ntz"
)
UNITS = _words("year month week day hour minute second")
KEYWORDS = _words(
    "and or not in is null true false case when then else end between like ilike rlike regexp div as distinct from "
    "interval escape over partition by order desc asc nulls rows unbounded preceding following current row"
).union(UNITS, (f"{unit}s" for unit in UNITS))
FUNCTIONS = _words(
    # numbers
    "abs acos asin atan atan2 bit_count bround ceil ceiling cos degrees e exp expm1 factorial floor greatest hypot "
    "isnan least ln log log10 log1p log2 mod nanvl negative pi pmod positive pow power radians rint round shiftleft "
    "shiftright sign signum sin sqrt tan try_add try_divide try_mod try_multiply try_subtract width_bucket "
    # texts
    "ascii base64 bit_length btrim char char_length character_length chr concat concat_ws contains endswith "
    "find_in_set format_number initcap instr lcase left length levenshtein locate lower lpad ltrim octet_length "
    "overlay position regexp_count regexp_extract regexp_instr regexp_like regexp_replace replace reverse right rpad "
    "rtrim soundex split split_part startswith substr substring substring_index to_char to_number translate trim "
    "try_to_number ucase unbase64 upper "
    # dates and times
    "add_months convert_timezone date_add date_diff date_format date_from_unix_date date_part date_sub date_trunc "
    "dateadd datediff day dayofmonth dayofweek dayofyear extract from_unixtime from_utc_timestamp hour last_day "
    "make_date make_dt_interval make_timestamp make_ym_interval minute month months_between next_day quarter second "
    "timestamp_micros timestamp_millis timestamp_seconds to_date to_timestamp to_unix_timestamp to_utc_timestamp "
    "trunc try_to_timestamp unix_date unix_micros unix_millis unix_seconds unix_timestamp weekday weekofyear year "
    # conditions
    "case cast coalesce equal_null if ifnull isnotnull isnull nullif nullifzero nvl nvl2 try_cast zeroifnull "
    # hashes, and arrays of constants
    "array array_contains cardinality crc32 element_at from_json get hash hex md5 named_struct sha1 sha2 size struct "
    "transform try_element_at unhex xxhash64 "
    # what rows have together
    "any any_value avg bit_and bit_or bool_and bool_or collect_set corr count count_if every first first_value last "
    "last_value max max_by mean median min min_by mode some std stddev stddev_pop stddev_samp sum try_avg try_sum "
    "var_pop var_samp variance "
    # among the rows of a parent
    "dense_rank lag lead rank row_number"
)
QUERIES = _words("select from table values with exists lateral window map reduce where filter using")
PLAIN = KEYWORDS | TYPES
OURS = re.compile(r"__child\d+|#synthohive:.+", re.DOTALL)  # columns that stand beside those of the table
LAMBDA = "`#synthohive:this`"  # the one name that a lambda may have
TYPE = re.compile(r"[\w(),<> ]+", re.ASCII)
PLAIN_TYPES = TYPES.union(_words("void array map interval to variant collate"), UNITS)
DEPTH = 500  # of brackets; Spark's parser calls itself for each


class Token(NamedTuple):
    """A word of an expression: which group of ``TOKEN`` it is, its text, and what is right before it."""

    kind: str
    text: str
    before: str


END = Token("end", "", "")


def sql_problem(sql: str, columns: Collection[str] | None = None) -> str | None:
    """What keeps an expression from being run; None where it is harmless.

    Args:
        sql: the expression.
        columns: of the table; None where they are not known, and then any name in backticks may be one.
    """
    known = None if columns is None else {c.lower() for c in columns}
    depth, last = 0, END
    try:
        tokens = [*_tokens(sql), END]
    except ValueError as e:
        return str(e)
    for token, following in itertools.pairwise(tokens):
        wrong = _wrong(token, last, following, known)
        if wrong is not None:
            return wrong
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if not 0 <= depth <= DEPTH:
            return "brackets that do not match" if depth < 0 else f"more than {DEPTH} brackets inside each other"
        last = token
    return "brackets that do not match" if depth else None


def _tokens(sql: str) -> Iterator[Token]:
    at, before = 0, ""
    while at < len(sql):
        found = TOKEN.match(sql, at)
        if found is None:
            raise ValueError(f"the character {sql[at]!r} where an expression has none")
        kind, text = f"{found.lastgroup}", found.group()
        if kind == "comment":
            raise ValueError("a comment")
        if kind != "space":
            yield Token(kind, text, before)
        before, at = ("" if kind == "space" else text.lower()), found.end()


def _wrong(token: Token, last: Token, following: Token, known: Collection[str] | None) -> str | None:
    """What is wrong with one token between its neighbours."""
    called = following.text == "("
    if token.kind == "sign":
        lonely = token.text == "->" and last.text != LAMBDA
        path = token.text == "." and (last.kind not in ("name", "word") or following.kind not in ("name", "word"))
        return "a lambda" if lonely else "a point that is no part of a name" if path else None
    if token.kind == "text":
        prefixed = token.before and re.fullmatch(r"\w+", token.before) and token.before not in LITERALS
        return f"a text behind {token.before}" if prefixed else "a text that is called" if called else None
    if token.kind not in ("name", "word"):
        return None
    word = token.text.lower()
    if last.text == ".":  # a field of a struct
        return f"a call of {token.text}" if called else None
    if token.kind == "name":
        name = word[1:-1].replace("``", "`")
        foreign = known is not None and name not in known and not OURS.fullmatch(name)
        return f"a call of {token.text}" if called else f"{token.text}, which is no column" if foreign else None
    if called and word not in PLAIN:
        return None if word in FUNCTIONS else f"a call of {token.text}"
    if word == "from":  # of "is distinct from" and of "extract(year from"
        return None if last.text.lower() in UNITS | {"distinct"} else "a query"
    plain = word in PLAIN or OURS.fullmatch(word) or (word in (known or ()) and word not in QUERIES)
    return None if plain else f"the word {token.text}"


def type_problem(spark_type: str) -> str | None:
    """What keeps the name of a type from being a part of a statement; None where it is one."""
    words = [word for word in re.findall(r"\w+", spark_type.lower()) if not word.isdigit()]
    known = bool(words) and PLAIN_TYPES.issuperset(words) and TYPE.fullmatch(spark_type) is not None
    return None if known else f"{spark_type!r}, which is no type"
