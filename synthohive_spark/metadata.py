"""What a user says of the tables: keys, types, constraints, what is personal.

The file form is that of DESIGN.md section 3. Descriptive keys are accepted and never learnt from; any other
unknown key is refused. All problems of a schema come in one ``SchemaValidationError``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synthohive_spark import graph
from synthohive_spark.errors import SchemaError, SchemaValidationError
from synthohive_spark.location import name_problem
from synthohive_spark.nested import flat_schema
from synthohive_spark.personal import Action
from synthohive_spark.strict import Strict, nearest, problems
from synthohive_spark.tables import ForeignKey, Table, is_carried, key_type
from synthohive_spark.typenames import canonical
from synthohive_spark.yaml_files import yaml_file


class _File(Strict):
    """The file form: tables, and descriptive keys that are never learnt from."""

    tables: dict[str, Table]
    subject: str | None = None
    name: Any = None
    source: Any = None
    license: Any = None
    notes: Any = None
    subsampled: Any = None
    features: Any = None
    verified: Any = None
    invariants: Any = None


class Metadata:
    """The tables of a database and how they are linked.

    Attributes:
        tables: {name: what is said of it}.
        evidence: what ``detect`` found, as the draft of a file; empty without.
        subject: the table whose rows are the people to be protected; where it is None they are found.

    Example:
        >>> m = Metadata()
        >>> m.add_table("users", pk="user_id")
        >>> m.add_table("orders", pk="order_id", fk={"user_id": "users.user_id"})
        >>> m.validate_schema()
    """

    def __init__(self, tables: Mapping[str, Table] | None = None, subject: str | None = None) -> None:
        self.tables: dict[str, Table] = dict(tables or {})
        self.evidence = ""
        self.subject = subject

    def with_tables(self, tables: Mapping[str, Table]) -> Metadata:
        """The same database with other tables in place of these."""
        return Metadata(tables, self.subject if self.subject in tables else None)

    def add_table(
        self,
        name: str,
        pk: str | Sequence[str] | None = None,
        fk: Mapping[str, str] | Sequence[Mapping[str, Any]] | None = None,
        parent_context_cols: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        """Add a table.

        Args:
            name: the table's name.
            pk: its primary key: one column, several, or None.
            fk: ``{column: "parent.column"}``, or a list in the file form (composite, nullable, orphans, driving).
            parent_context_cols: the parent's columns that the child's model sees; all of them by default.
            options: any other key of a table in the file form (columns, constraints, derived, pii, exclude, reference).

        Raises:
            SchemaError: the name is taken.
            SchemaValidationError: a key is unknown or of the wrong form.
        """
        if name in self.tables:
            raise SchemaError(f"table {name!r} is in the metadata already; give each table once")
        keys: list[Any] = []
        if isinstance(fk, Mapping):
            for column, target in fk.items():
                parent, _, parent_column = target.rpartition(".")
                keys.append({"columns": [column], "references": parent, "referenced_columns": [parent_column]})
        else:
            keys = list(fk or [])
        spec = {"primary_key": pk, "foreign_keys": keys, "parent_context_cols": parent_context_cols, **options}
        self.tables[name] = _parse({"tables": {name: spec}})[0][name]

    @classmethod
    def load(cls, source: str | Path | Mapping[str, Any]) -> Metadata:
        """Read the file form (JSON or YAML), or a mapping of the same form.

        Raises:
            SchemaError: the file cannot be read.
            SchemaValidationError: with every problem of form.
        """
        if isinstance(source, Mapping):
            return cls(*_parse(source))
        if not isinstance(source, str | Path):
            raise SchemaError(
                f"metadata: {type(source).__name__} is neither the name of a file nor a mapping; give one"
            )
        try:
            raw = yaml_file(source)
        except OSError as e:
            raise SchemaError(f"metadata file {source}: {e.strerror}; `metadata:` in the configuration names it") from e
        except ValueError as e:
            raise SchemaError(f"metadata file {source}: {e}") from e
        if not isinstance(raw, Mapping):
            raise SchemaError(f"metadata file {source}: a mapping with the key 'tables' is expected")
        return cls(*_parse(raw))

    @classmethod
    def detect(cls, sources: Any, spark: Any = None) -> Metadata:
        """Propose keys, types and what is personal from the tables themselves; read it before you use it.

        Args:
            sources: {table: Spark or pandas DataFrame, folder, or name of a table or view}, or one folder or schema of
                Delta tables.
            spark: the session; the active one, or a local one.

        Returns:
            The metadata; ``evidence`` is the draft as YAML with what speaks for each line beside it.

        Raises:
            ConfigError: nothing was given, or something of another form.
        """
        # By name: what detects lies above what it detects, and this class is read without Spark.
        found, text = import_module("synthohive_spark.draft.detect").detected(sources, spark)
        result = cls(found.tables)
        result.evidence = text
        return result

    def __repr__(self) -> str:
        return f"Metadata({len(self.tables)} tables: {'; '.join(map(str, self.tables))})"

    def _repr_html_(self) -> str:
        return _html(self.tables)

    def to_json(self) -> str:
        """The file form as canonical JSON: what hashes and the registry hold."""
        people = {} if self.subject is None else {"subject": self.subject}
        return json.dumps({"tables": {n: t.model_dump() for n, t in self.tables.items()}, **people}, sort_keys=True)

    def key_columns(self, table: str) -> set[str]:
        """Key columns of a table; empty for a table that the metadata does not know."""
        return self.tables[table].key_columns if table in self.tables else set()

    def personal(self, table: str) -> set[str]:
        """Columns of a table that are personal: declared so, or key columns that refer to such, or are referred to.

        The values of a key are the same in all tables that hold it, so one declaration speaks for all of them.
        """
        found = {(name, c) for name, spec in self.tables.items() for c in spec.personal}
        same = [
            {(name, c), (fk.references, referenced)}
            for name, spec in self.tables.items()
            for fk in spec.foreign_keys
            for c, referenced in zip(fk.columns, fk.referenced_columns, strict=True)
        ]
        while more := [pair for pair in same if len(pair & found) == 1]:
            found.update(*more)
        return {c for name, c in found if name == table}

    @property
    def expressions(self) -> frozenset[str]:
        """All Spark SQL that is declared."""
        said = (
            (*t.declared.values(), *(c.expression for c in (*t.constraints, *t.declared_rules)))
            for t in self.tables.values()
        )
        return frozenset(sql for each in said for sql in each if sql is not None)

    def validate_schema(self, data: Mapping[str, Any] | None = None) -> None:
        """Check the metadata, and with ``data`` that the tables fit it. Nothing is read but schemas.

        Args:
            data: {table: Spark or pandas DataFrame, StructType, or {column: Spark type name}}.

        Raises:
            SchemaValidationError: with every problem that was found.
        """
        whole = {name: spec.unread for name, spec in self.tables.items()}
        actual = {name: _types(frame, whole.get(name, ())) for name, frame in (data or {}).items()}
        found = _name_problems(self.tables)
        found += [line for name in self.tables for line in self._table_problems(name, actual)]
        if not found:
            found = graph.cycle_problems(self.tables)
        if data is not None:
            found += [f"{n}: not among the tables given" for n in self.tables if n not in actual]
        if not self.tables:
            found.append("tables: empty; name at least one table")
        elif self.subject is not None and self.subject not in self.tables:
            found.append(f"subject: {self.subject!r} is no table; {nearest(self.subject, [*self.tables])}")
        if found:
            raise SchemaValidationError(found)

    def _table_problems(self, name: str, actual: Mapping[str, Mapping[str, str]]) -> list[str]:
        table, found = self.tables[name], []
        types = {**table.columns, **actual.get(name, {})}
        if name in actual:
            found += _declared_types(name, table.columns, actual[name])

        def known(columns: Sequence[str], place: str) -> None:
            found.extend(
                f"{name}.{place}: column {c!r} is not in the table; {nearest(c, list(types))}"
                for c in columns
                if types and c not in types
            )

        known(table.primary_key, "primary_key")
        known([c for key in table.unique for c in key], "unique")
        found += [
            f"{name}.{place}: {', '.join(key) or 'no column'}; a key names one column or several, each once"
            for place, key in [("primary_key", table.primary_key), *(("unique", key) for key in table.unique)]
            if len({*map(str.casefold, key)}) < len(key) or (not key and place == "unique")
        ]
        known([*table.pii], "pii")
        known(table.exclude, "exclude")
        known([*table.derived], "derived")
        known([c.column for c in table.constraints if c.column], "constraints")
        found += [
            f"{name}.constraints: give a column with min, max or allowed, or an expression"
            for c in table.constraints
            if (c.column is None) == (c.expression is None)
        ]
        found += [
            f"{name}.constraints({law.column or 'expression'}): {problem}"
            for law in table.constraints
            if law.column is not None or law.expression is not None
            for problem in law.problems(types.get(law.column or ""))
        ]
        found += [f"{name}.derived: {c}: an empty expression; write Spark SQL" for c in _empty(table.declared)]
        found += [f"{name}.rules: {r}: an empty expression; write Spark SQL, or 'off'" for r in _empty(table.rules)]
        found += _excluded(self.tables, name, actual.get(name, {}))
        if sum(fk.driving for fk in table.foreign_keys) > 1:
            found.append(f"{name}.foreign_keys: more than one is driving; keep one")
        for fk in table.foreign_keys:
            place = f"foreign_keys({', '.join(fk.columns)})"
            known(fk.columns, place)
            found += self._key_problems(name, fk, f"{name}.{place}", types, actual)
        return found

    def _key_problems(
        self, name: str, fk: ForeignKey, place: str, types: Mapping[str, str], actual: Mapping[str, Mapping[str, str]]
    ) -> list[str]:
        if fk.references not in self.tables:
            return [f"{place}: references table {fk.references!r}, unknown; {nearest(fk.references, [*self.tables])}"]
        parent, found = self.tables[fk.references], []
        for said, key in (("columns", fk.columns), ("referenced_columns", fk.referenced_columns)):
            if not key or len({*map(str.casefold, key)}) < len(key):
                found.append(
                    f"{place}: {said} is {', '.join(key) or 'empty'}; a key names one column or several, each once"
                )
        if found:
            return found
        if len(fk.columns) != len(fk.referenced_columns):
            return [f"{place}: {len(fk.columns)} columns against {len(fk.referenced_columns)} referenced ones"]
        parent_types = {**parent.columns, **actual.get(fk.references, {})}
        for column, referenced in zip(fk.columns, fk.referenced_columns, strict=True):
            if parent_types and referenced not in parent_types:
                hint = nearest(referenced, list(parent_types))
                found.append(f"{place}: column {referenced!r} is not in {fk.references}; {hint}")
            elif column in types and referenced in parent_types:
                child_type, parent_type = types[column], parent_types[referenced]
                if key_type(child_type) != key_type(parent_type):
                    found.append(
                        f"{place}: {name}.{column} is {child_type}, {fk.references}.{referenced} is {parent_type}; "
                        "cast one of them so that the types agree"
                    )
        if fk.orphans == "drop" and fk.references == name:
            found.append(f"{place}: orphans of a key to its own table cannot be dropped; use 'null' or 'error'")
        if fk.orphans == "null":
            others = {c for other in self.tables[name].foreign_keys if other is not fk for c in other.columns}
            shared = set(fk.columns) & {*others, *self.tables[name].primary_key}
            if not fk.nullable or shared:
                why = f"{', '.join(sorted(shared))} belongs to another key" if shared else "the key is not nullable"
                found.append(f"{place}: orphans cannot be set to null, {why}; use 'drop' or 'error'")
        return found


def _excluded(tables: Mapping[str, Table], name: str, types: Mapping[str, str]) -> list[str]:
    """Columns that must be excluded and are not, or the other way round."""
    table = tables[name]
    referenced = {
        c for t in tables.values() for k in t.foreign_keys if k.references == name for c in k.referenced_columns
    }
    wanted = {**dict.fromkeys(table.key_columns | referenced, "a key")}
    wanted |= {c.column: "bounded by a constraint" for c in table.constraints if c.column}
    wanted |= dict.fromkeys(table.declared, "derived")
    found = [
        f"{name}.exclude: {c!r} is {wanted[c]}, and is needed; take it out of exclude, or drop what names it"
        for c in table.exclude
        if c in wanted
    ]
    gone = table.left_out(types)
    found += [
        f"{name}.{c}: values of type {t} are not carried; name it under exclude: [...] of the table "
        "(null on the copy where it is nullable, else not on it), or cast it on the source"
        for c, t in types.items()
        if not is_carried(t) and c not in gone
    ]
    if types and len(gone) == len(types):
        found.append(f"{name}.exclude: every column of the table; leave the table out of the metadata")
    return found


def _html(tables: Mapping[str, Table]) -> str:
    """What a notebook shows of the tables and their keys."""
    rows = []
    for name, t in tables.items():
        keys = "<br>".join(escape(f"{', '.join(fk.columns)} → {fk.references}") for fk in t.foreign_keys)
        rows.append(f"<tr><td>{escape(name)}</td><td>{escape(', '.join(t.primary_key))}</td><td>{keys}</td></tr>")
    head = "<tr><th>table</th><th>primary key</th><th>refers to</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _name_problems(names: Iterable[str]) -> list[str]:
    """Names that would leave their place, or that a catalog and some file systems take for one."""
    problems = {name: name_problem(name) for name in names}
    found = [f"{n!r}: the table's name {p}; give it the name of one folder" for n, p in problems.items() if p]
    seen: dict[str, str] = {}
    for name in problems:
        first = seen.setdefault(name.casefold(), name)
        if first != name:
            found.append(f"{name!r} and {first!r}: the tables' names differ in case alone; rename one of them")
    return found


def actions_in(metadata: Metadata) -> list[Action]:
    """What is to be done with declared personal columns."""
    every = (said.action for t in metadata.tables.values() for said in t.pii.values())
    return [action for action in every if action is not None]


def _empty(expressions: Mapping[str, Any]) -> list[str]:
    return [name for name, sql in expressions.items() if isinstance(sql, str) and not sql.strip()]


def _parse(raw: Mapping[str, Any]) -> tuple[dict[str, Table], str | None]:
    try:
        file = _File.model_validate(raw)
        return file.tables, file.subject
    except ValidationError as e:
        raise SchemaValidationError(problems(e, _File)) from e


def _declared_types(name: str, declared: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    found = [f"{name}.columns: {c!r} is not in the table; {nearest(c, [*actual])}" for c in declared if c not in actual]
    return found + [
        f"{name}.columns: {c} is declared {t} and is {actual[c]}; correct the metadata or cast the source"
        for c, t in declared.items()
        if c in actual and canonical(t) != canonical(actual[c])
    ]


def _types(frame: Any, whole: Collection[str]) -> dict[str, str]:
    """Column types by their Spark names; pandas types by their nearest Spark name."""
    if isinstance(frame, Mapping):
        return dict(frame)
    schema = getattr(frame, "schema", frame)  # of a DataFrame, or a StructType itself
    if hasattr(schema, "fields"):
        return {f.name: f.dataType.simpleString() for f in flat_schema(schema, whole).fields}
    kinds = {"i": "bigint", "u": "bigint", "f": "double", "b": "boolean", "M": "timestamp"}
    return {str(c): kinds.get(getattr(frame[c].dtype, "kind", "O"), "string") for c in frame.columns}
