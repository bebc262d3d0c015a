"""Where tables lie, and how SQL names them: always quoted. A path is no URL: what it holds is never decoded or cut."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from synthohive_spark.errors import ConfigError
from synthohive_spark.sql import quote

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?://([^/]*))?(/.*|$)", re.DOTALL)
_SCHEME_ONLY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?!/)")
_ONE_STORE = {"s3a": "s3", "s3n": "s3", "abfss": "abfs", "wasbs": "wasb"}  # schemes that reach the same files
_QUOTED = re.compile(r"`(?:[^`]|``)*`")
LONGEST = 255  # bytes of a folder's name in most file systems
LOG = "_delta_log"  # the folder that makes a folder a Delta table


def name_problem(name: str) -> str | None:
    """Why a text cannot name one table of a place; None if it can. A name that is a path may lead out of the place."""
    if not name.strip():
        return "is empty"
    if "/" in name:
        return "holds a slash, so it would name a folder elsewhere"
    if name in (".", "..", LOG):
        return "has a meaning of its own in a file system or for Delta"
    return "holds a character that no file name can hold" if "\0" in name else None


def path_problem(path: str) -> str | None:
    """Why a text cannot be the folder of a place; None if it can."""
    if not path.strip():
        return "is empty, which would mean the root of the file system; name a folder"
    if _SCHEME_ONLY.match(path):
        return f"{path!r} is neither a folder nor a full address; write scheme:/folder, or ./ before a relative one"
    return None


@dataclass(frozen=True)
class Address:
    """A folder as a store knows it.

    Attributes:
        scheme: the store; empty for the file system of this machine.
        host: a bucket, a name node; may be empty.
        path: absolute; with no ``.``, ``..`` or slash at its end.
    """

    scheme: str
    host: str
    path: str

    @classmethod
    def parse(cls, folder: str) -> Address:
        """The address of a path or of a path with a scheme, whatever other characters it holds."""
        parts = _URI.match(folder)
        if parts is None or "/" not in folder:
            return cls("", "", os.path.abspath(folder))
        scheme, host, path = parts[1].lower(), (parts[2] or "").lower(), parts[3]
        if scheme == "file":
            return cls("", "", os.path.abspath(path or "/"))
        if scheme == "dbfs":  # where Databricks mounts it
            return cls("", "", os.path.abspath(f"/dbfs{path}"))
        return cls(_ONE_STORE.get(scheme, scheme), host, os.path.normpath(f"/{path.lstrip('/')}"))

    def keys(self) -> Iterator[frozenset[tuple[object, ...]]]:
        """What the folder is known by, then what each folder above it is known by.

        A local folder is known by its real path, and by its number in the file system if it exists: so a link, a
        mount, and another case where case does not count, all lead to the same folder.
        """
        if self.scheme:
            whole = PurePosixPath(self.path)
            for path in (whole, *whole.parents):
                yield frozenset({(self.scheme, self.host, str(path))})
            return
        real = Path(os.path.realpath(self.path))
        for folder in (real, *real.parents):
            try:
                found = folder.stat()
            except OSError:
                yield frozenset({("", "", str(folder))})
            else:
                yield frozenset({("", "", str(folder)), ("number", found.st_dev, found.st_ino)})


@dataclass(frozen=True)
class Spot:
    """A place or table in a form that can be compared.

    Attributes:
        own: what it is known by.
        held: the same, and what everything that holds it is known by.
    """

    own: frozenset[tuple[object, ...]]
    held: frozenset[tuple[object, ...]]

    def within(self, other: Spot) -> bool:
        """Whether it is the other one, or lies inside it."""
        return bool(other.own & self.held)

    @classmethod
    def of(cls, place: TableRef | Location) -> Spot:
        """Where a place or table is. Names of a catalog are the same in any case."""
        if place.path is None:
            own: frozenset[tuple[object, ...]] = frozenset({("catalog", place.sql.lower())})
            return cls(own, own)
        first, *above = Address.parse(place.path).keys()
        return cls(first, first.union(*above))


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
            folder = place if _URI.match(place) else str(Path(place).absolute())
            return cls(sql=f"delta.{quote(folder)}", path=folder)
        return cls(sql=".".join(quote(p) for p in place.split(".")), path=None)

    def beside(self, prefix: str) -> TableRef:
        """The table next to it, of its name with something before it."""
        if self.path is not None:
            above, _, name = self.path.rstrip("/").rpartition("/")
            if len(f"{prefix}{name}".encode()) > LONGEST:
                name = hashlib.sha256(name.encode()).hexdigest()
            return TableRef.parse(f"{above}/{prefix}{name}")
        *schema, last = _QUOTED.findall(self.sql)
        return TableRef(sql=".".join([*schema, f"`{prefix}{last[1:]}"]), path=None)


@dataclass(frozen=True)
class Location:
    """A folder with one Delta table per sub-folder, or a schema (one- or two-part name) of the catalog."""

    path: str | None = None
    schema_name: str | None = None

    def table(self, name: str) -> TableRef:
        """The table of that name in this place.

        Raises:
            ConfigError: the name would lead out of the place, or the place is none.
        """
        problem = name_problem(name)
        if problem:
            raise ConfigError(f"table {name!r} {problem}; give it the name of one folder")
        if self.path is not None:
            problem = path_problem(self.path)
            if problem:
                raise ConfigError(f"the place of table {name!r} {problem}")
            return TableRef.parse(f"{self.path.rstrip('/')}/{name}")
        return TableRef(sql=f"{self.sql}.{quote(name)}", path=None)

    @property
    def sql(self) -> str:
        """The schema, quoted; for a folder the text of its path."""
        return ".".join(quote(p) for p in f"{self.schema_name}".split(".")) if self.path is None else self.path

    def __str__(self) -> str:
        return self.path if self.path is not None else f"schema {self.schema_name}"
