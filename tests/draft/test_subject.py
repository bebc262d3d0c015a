"""The draft proposes whose rows the people are. No Spark."""

from __future__ import annotations

import yaml

from synthohive_spark.draft.file import DraftedKey, DraftedPersonal, DraftedTable, draft_text
from synthohive_spark.metadata import Metadata


def table(*references: str, pii: tuple[str, ...] = ()) -> DraftedTable:
    keys = tuple(DraftedKey((f"{r}_id",), r, ("id",), "seen") for r in references)
    types = {"id": ("int", ""), **{f"{r}_id": ("int", "") for r in references}, **dict.fromkeys(pii, ("string", ""))}
    personal = {c: DraftedPersonal(c, "seen") for c in pii}
    return DraftedTable(100, ("id",), "unique", keys, types, pii=personal)


def test_the_table_of_people_is_the_one_that_most_lead_to() -> None:
    tables = {
        "region": table(),
        "customer": table("region", pii=("email",)),
        "clerk": table(pii=("phone",)),
        "order": table("customer", "clerk"),
        "line": table("order"),
        "visit": table("customer"),
    }
    text = draft_text(tables, "a test")
    (line,) = [line for line in text.splitlines() if "subject:" in line]
    assert line.startswith("# subject: customer  #")
    assert "3 of the tables lead to it" in line
    metadata = Metadata.load(yaml.safe_load(text.replace("# subject:", "subject:")))
    metadata.validate_schema()
    assert metadata.subject == "customer"


def test_nobody_is_proposed_where_nothing_looks_personal() -> None:
    assert "subject:" not in draft_text({"a": table(), "b": table("a")}, "a test")
