"""Where tables lie, and how SQL names them: always quoted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


def quote(identifier: str) -> str:
    """An identifier in backticks, whatever characters it holds."""
    return "`" + identifier.replace("`", "``") + "`"


def text_literal(value: str) -> str:
    """A text as a literal of Spark SQL, whatever characters it holds."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True)
class TableRef:
    """One Delta table: ``path`` for a folder, else a catalog name.

    Attributes:
        sql: quoted, usable wherever Spark SQL or ``DataFrame.writeTo`` expects a table.
        path: its folder; None for a catalog table.
    """

    sql: str
    path: str | None

    @classmethod
    def parse(cls, place: str) -> TableRef:
        """A table from a folder, or from a one-, two- or three-part name. What holds a slash is a folder."""
        if "/" in place:
            folder = place if "://" in place or place.startswith(("dbfs:", "file:")) else str(Path(place).absolute())
            return cls(sql=f"delta.{quote(folder)}", path=folder)
        return cls(sql=".".join(quote(p) for p in place.split(".")), path=None)


@dataclass(frozen=True)
class Location:
    """A folder with one Delta table per sub-folder, or a schema (one- or two-part name) of the catalog."""

    path: str | None = None
    schema_name: str | None = None

    def table(self, name: str) -> TableRef:
        """The table of that name in this place."""
        if self.path is not None:
            return TableRef.parse(f"{self.path.rstrip('/')}/{name}")
        parts = [quote(p) for p in f"{self.schema_name}".split(".")]
        return TableRef(sql=".".join([*parts, quote(name)]), path=None)

    def __str__(self) -> str:
        return self.path if self.path is not None else f"schema {self.schema_name}"
