"""What is personal in the source: what people declared, and what the values say; a person's word wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from synthohive_spark.errors import SchemaValidationError
from synthohive_spark.lake.source import SourceLake
from synthohive_spark.logs import get_logger
from synthohive_spark.personal import STRONG, Action, PersonalColumn, in_short, is_faked, is_rewritten
from synthohive_spark.privacy.meaning.found import Meaning
from synthohive_spark.privacy.meaning.search import Look, find_meanings
from synthohive_spark.privacy.rewriting import NARROWEST
from synthohive_spark.privacy.word_filter import WordFilter
from synthohive_spark.profiling.fakes import HELD, SALT, held_words
from synthohive_spark.schema.columns import DECLARED, Treatment
from synthohive_spark.tables import CHAR_VARCHAR, TEXT, Table

log = get_logger(__name__)


@dataclass(frozen=True)
class PersonalData:
    """What is personal in the tables of a source.

    Attributes:
        meanings: {table: {column: what it means}}.
        treated: {table: {personal column: what is done with it}}.
        held: words of the names among them.
    """

    meanings: Mapping[str, Mapping[str, Meaning]]
    treated: Mapping[str, Mapping[str, Treatment]]
    held: WordFilter


def with_personal(source: SourceLake, actions: Mapping[str, Action]) -> tuple[SourceLake, PersonalData]:
    """The source with all that is personal declared so in its metadata, and what was found.

    Args:
        source: the checked source.
        actions: {kind, column or table.column: what is done with it}.

    Raises:
        SchemaValidationError: columns that may not be null are to be dropped, or keys or numbers hashed.
    """
    tables = source.metadata.tables
    meanings = find_meanings(_look(source, table) for table in tables)
    treated = {t: _treated(t, spec, meanings[t], actions) for t, spec in tables.items()}
    refused = [p for t, each in treated.items() for p in (*_not_null(source, t, each), *_no_text(source, t, each))]
    if refused:
        raise SchemaValidationError(refused)
    made = {}
    for name, spec in tables.items():
        types, keys = _types(source, name), spec.key_columns
        drawn = {c for c, t in treated[name].items() if c not in keys and t.learnt(types.get(c, ""))}
        pii = {
            c: PersonalColumn(kind=t.kind, action="keep" if c in drawn else t.action) for c, t in treated[name].items()
        }
        made[name] = spec.model_copy(update={"pii": pii})
        for column, t in treated[name].items():
            log.info("personal_column", table=name, column=column, **t.in_short)
    open_ones = {t: {c: x for c, x in each.items() if x.action != "keep"} for t, each in treated.items()}
    names = {
        t: [c for c, x in each.items() if is_faked(x.action) and _is_name(source, t, c, x)]
        for t, each in open_ones.items()
    }
    held = held_words({t: source.frame(t) for t in tables}, names, SALT)
    return replace(source, metadata=source.metadata.with_tables(made)), PersonalData(meanings, open_ones, held)


def _is_name(source: SourceLake, table: str, column: str, treatment: Treatment) -> bool:
    return treatment.kind in HELD and _types(source, table).get(column, "").startswith(TEXT)


def _look(source: SourceLake, table: str) -> Look:
    types = _types(source, table)
    return Look(
        table, source.frame(table), types, source.rows[table], source.metadata.tables[table].primary_key or tuple(types)
    )


def _types(source: SourceLake, table: str) -> dict[str, str]:
    return {f.name: f.dataType.simpleString() for f in source.schema(table).fields}


def _treated(
    table: str, spec: Table, meanings: Mapping[str, Meaning], actions: Mapping[str, Action]
) -> dict[str, Treatment]:
    """What is done with each personal column of a table, in the table's order; declared ones that are not read last."""
    made = {}
    for column in [*meanings, *(c for c in spec.pii if c not in meanings)]:
        said, found = spec.pii.get(column), meanings.get(column)
        if said is None and (found is None or not found.personal or _open(column, spec, found)):
            continue
        kind = (said.kind if said is not None else None) or (found.kind if found is not None else None)
        evidence = DECLARED if said is not None or found is None else found.evidence
        chosen = actions.get(f"{table}.{column}", actions.get(column)) or _said(said) or actions.get(f"{kind}")
        made[column] = Treatment(kind=kind or "unknown", action=chosen or "fake", evidence=evidence)
    if not any(t.kind == "street" and t.action == "fake" for t in made.values()):
        return made
    beside = Treatment(kind="city", action="fake", evidence="stands beside an address")
    for column, found in meanings.items():  # one place per row: what is real of it would not fit the rest
        if found.kind in ("city", "region") and column not in {*spec.pii, *made} and not _open(column, spec, found):
            action = actions.get(f"{table}.{column}", actions.get(column)) or actions.get(found.kind) or "fake"
            made[column] = beside.model_copy(update={"kind": found.kind, "action": action})
    return made


def _said(said: PersonalColumn | None) -> Action | None:
    """The action that a person chose; ``fake`` is what is done where nobody says anything."""
    return None if said is None or said.action == "fake" else said.action


def _open(column: str, spec: Table, found: Meaning) -> bool:
    """Whether a column is published though its values look personal: a person said what they are."""
    listed = any(law.column == column and law.allowed is not None for law in spec.constraints)
    weak_key = column in spec.key_columns and found.kind not in STRONG
    return spec.reference or listed or weak_key or column in spec.derived


def _no_text(source: SourceLake, table: str, treated: Mapping[str, Treatment]) -> list[str]:
    """Columns that hold no hash and no text of a function's."""
    spec, fields = source.metadata.tables[table], source.schema(table).fields
    widths = {f.name: f.metadata.get(CHAR_VARCHAR, "") for f in fields}
    short = {c for c, kind in widths.items() if kind and int(kind[kind.index("(") + 1 : -1]) < NARROWEST}
    types, found = _types(source, table), list[str]()
    for c, t in treated.items():
        if is_rewritten(t.action):
            if c in spec.key_columns:
                found.append(f"{table}.{c}: a key, which is made anew; choose fake or mask")
            elif c in types and not types[c].startswith(TEXT):
                found.append(f"{table}.{c}: {types[c]}, and {in_short(t.action)} gives text; choose fake or mask")
            elif c in short and t.action == "hash":
                found.append(f"{table}.{c}: under {NARROWEST} characters, too few for a hash; choose fake or mask")
    return found


def _not_null(source: SourceLake, table: str, treated: Mapping[str, Treatment]) -> list[str]:
    """Columns that cannot be dropped."""
    keys = source.metadata.tables[table].key_columns
    nullable = {f.name for f in source.schema(table).fields if f.nullable}
    return [
        f"{table}.{c}: to be dropped (action drop), and it may not be null; choose fake or mask, or exclude the column"
        for c, t in treated.items()
        if t.action == "drop" and (c not in nullable or c in keys)
    ]
