"""What a draft says of people and of small public tables, from proposals alone. No Spark."""

from __future__ import annotations

from dataclasses import replace

import yaml

from synthohive_spark.draft.file import DraftedKey, DraftedPersonal, DraftedTable, draft_text
from synthohive_spark.draft.metadata_draft import with_personal_keys, with_references
from synthohive_spark.metadata import Metadata

TEXTS = {"code": ("string", ""), "label": ("string", "")}


def table(rows: int, columns: dict[str, tuple[str, str]], *parents: str, pii: tuple[str, ...] = ()) -> DraftedTable:
    keys = tuple(DraftedKey(("code",), parent, ("code",), "found") for parent in parents)
    personal = {c: DraftedPersonal("email", "the name says so") for c in pii}
    return DraftedTable(rows, ("code",), "unique", keys, columns, pii=personal)


def test_a_personal_key_is_personal_wherever_it_is_held() -> None:
    tables = {
        "visits": table(90, TEXTS, "members"),
        "members": table(30, TEXTS, "people"),
        "people": table(30, TEXTS, pii=("code",)),
        "places": table(30, TEXTS),
    }
    drafted = with_personal_keys(tables)
    assert {t: [*each.pii] for t, each in drafted.items()} == {
        "visits": ["code"],
        "members": ["code"],
        "people": ["code"],
        "places": [],
    }
    assert drafted["visits"].pii["code"].evidence == "holds the values of members.code, which are personal"
    made = Metadata.load(yaml.safe_load(draft_text(drafted, "a test")))
    made.validate_schema()
    assert {t: [*spec.personal] for t, spec in made.tables.items()} == {t: [*each.pii] for t, each in drafted.items()}
    assert made.tables["people"].pii["code"].kind == "email"


def test_a_small_table_of_words_may_be_copied_and_no_other() -> None:
    numbers = {"code": ("string", ""), "weight": ("double", "")}
    tables = {
        "genres": table(20, TEXTS),
        "molecules": table(20, numbers),  # whose rows are what is looked at
        "prices": replace(table(10, {**TEXTS, "price": ("double", "")}), alternatives=("[label] is unique too",)),
        "unnamed": table(10, {**TEXTS, "price": ("double", "")}),  # where several rows have one label
        "branches": replace(table(10, {**TEXTS, "opened": ("date", "")}), alternatives=("[label] is unique too",)),
        "terms": replace(
            table(10, {**TEXTS, "first": ("date", ""), "last": ("date", "")}), alternatives=("[first] is unique too",)
        ),
        "stays": table(10, {**TEXTS, "first": ("date", ""), "last": ("date", "")}),  # some of which are at once
        "budgets": replace(
            table(20, {**TEXTS, "spent": ("double", "")}), alternatives=("[label] is unique too",)
        ),  # for 200 rows
        "owners": table(20, TEXTS, pii=("label",)),
        "parts": table(20, TEXTS, "genres"),
        "cities": table(2_000, TEXTS),
        "alone": table(20, TEXTS),
    }
    tables["items"] = table(200, TEXTS, *(name for name in tables if name != "alone"))
    drafted = with_references(tables)
    assert [t for t, each in drafted.items() if each.reference] == ["genres", "prices", "terms"]
    text = draft_text(drafted, "a test")
    assert "reference: true  # copied as it is: 20 rows of words, none personal, for 200 rows that refer to it" in text
    assert Metadata.load(yaml.safe_load(text)).tables["genres"].reference
