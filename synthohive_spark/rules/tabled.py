"""Dictionaries of one table: which laws are checked, in which order, and what the plan keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame

from synthohive_spark.privacy.support import Support
from synthohive_spark.rules.dictionaries import Entries, Groups
from synthohive_spark.rules.kind import KINDS, Law, Searched
from synthohive_spark.rules.kinds.dictionary import Dictionary, Lookup
from synthohive_spark.rules.kinds.keyed import Keyed, KeyedValue
from synthohive_spark.rules.kinds.near_dictionary import NearDictionary
from synthohive_spark.rules.kinds.null_implication import NullWhere
from synthohive_spark.rules.value_kind import ValueKind
from synthohive_spark.sql import quote


@dataclass(frozen=True)
class Tabled:
    """The laws of one table that are dictionaries.

    Attributes:
        table: its columns.
        rows: its rows, with columns of ancestors by their ids.
        support: who must hold a value before a plan may name it.
        holders: as ``Sample.holders``.
    """

    table: Searched
    rows: Callable[[Iterable[str]], DataFrame]
    support: Support
    holders: Mapping[str, tuple[str, ...]]

    def hold(self, found: Iterable[Law], others: Iterable[Law]) -> list[Law]:
        """Laws that hold, of columns that no formula gives: the exact ones first, each for what is open.

        Args:
            found: on the sample.
            others: that hold already, and are no dictionaries.
        """
        laws, held = list(found), [(KINDS[law.kind], law) for law in others]
        whole = {law.target for kind, law in held if isinstance(kind, ValueKind) and law.reach == "whole"}
        some = {law.target for kind, law in held if isinstance(kind, ValueKind)}
        # What holds on all rows, an order say, is not given up for what holds on nearly all.
        others_held = [law for kind, law in held if not (kind.impersonal or isinstance(kind, ValueKind))]
        exact = some | {i for law in others_held for i in (law.target, *law.inputs)}
        kept = list[Law]()
        for kind, decided in ((Dictionary.name, whole), (NearDictionary.name, exact), (Keyed.name, some)):
            known = decided | {law.target for law in kept}
            tried = [law for law in laws if law.kind == kind and law.target not in known]
            lasting = self._groups(tried).hold(tried)
            if kind == Keyed.name and self.support.several:  # of its values one must be left that enough people hold
                listed = self._groups(lasting).entries(lasting)
                lasting = [law for law in lasting if listed[law.target].others]
            kept += lasting
        return kept

    def rules(
        self, chosen: Iterable[Law], nulls: Mapping[str, NullWhere], row: tuple[str, ...]
    ) -> dict[str, Lookup | KeyedValue]:
        """{id of a column: its rule}, for the dictionaries among the chosen laws.

        Args:
            chosen: laws that give values.
            nulls: {column: where it is null}.
            row: names of the columns that tell rows apart.
        """
        laws = [law for law in chosen if KINDS[law.kind].tabled]
        tables = self._groups(laws).entries(laws)
        return {law.target: self._rule(law, tables[law.target], nulls, row) for law in laws}

    def _groups(self, laws: Iterable[Law]) -> Groups:
        above = sorted({i for law in laws for i in law.inputs if self.table.context(i) is not None})
        return Groups(self.rows(above), self.table.types, self.support, self.holders)

    def _rule(
        self, law: Law, table: Entries, nulls: Mapping[str, NullWhere], row: tuple[str, ...]
    ) -> Lookup | KeyedValue:
        name, own = self.table.names[law.target], self.table.types[law.target]
        seen = {i: self.table.context(i) for i in law.inputs}
        inputs = tuple(c.name if c is not None else self.table.names[i] for i, c in seen.items())
        if law.kind == Keyed.name:
            kinds = tuple(self.table.types[i] for i in law.inputs)
            return KeyedValue(column=name, inputs=inputs, inputs_types=kinds, values=table.others, type=own)
        open_rows, near = law.reach != "whole", table.agreed < 1
        return Lookup(
            column=name,
            inputs=inputs,
            above=self.table.above(law.inputs),
            view=law.sql,
            entries=table.entries,
            others=table.others,
            odd=table.odd if near else (),
            row=row if near else (),
            agreed=table.agreed,
            own=(nulls[name].expression if name in nulls else quote(name)) if open_rows else None,
            kept=nulls[name].above if open_rows and name in nulls else (),
            type=own,
        )
