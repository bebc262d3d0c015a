"""What is searched in one table: names and ids of its columns, which of them may follow, its laws, their rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from synthohive_spark.logs import get_logger
from synthohive_spark.privacy.support import SUBJECT
from synthohive_spark.rules.children.steady import steady
from synthohive_spark.rules.choose import Choice, in_order, reached
from synthohive_spark.rules.evidence import TEXT_OF, family_of
from synthohive_spark.rules.kind import KINDS, Decided, Law
from synthohive_spark.rules.kinds.aggregate import aggregates
from synthohive_spark.rules.kinds.copy import Inherited
from synthohive_spark.rules.kinds.derived import Derived
from synthohive_spark.rules.kinds.null_decision import NullDecision
from synthohive_spark.rules.kinds.null_implication import NullImplication, NullWhere
from synthohive_spark.rules.kinds.on_day import DayOf, OnDay
from synthohive_spark.rules.kinds.text import TextOfParts
from synthohive_spark.rules.search import Searcher, kinds, views
from synthohive_spark.rules.sharpen import asked_by, sharpened, texts_of
from synthohive_spark.rules.tabled import Tabled
from synthohive_spark.rules.verify import known_zones, sampled, searched, verified
from synthohive_spark.schema import frames
from synthohive_spark.schema.ancestors import SEEN, Ancestors
from synthohive_spark.schema.context import DEGREE, ContextColumn, ContextPlan
from synthohive_spark.schema.people import People
from synthohive_spark.schema.rule import Rule, RulesPlan
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.sql import names_in, quote
from synthohive_spark.tables import TEXT, Table

LONG = 128  # characters of a text from which on it is not taken apart
log = get_logger(__name__)
Later = Mapping[str, set[str]]  # columns that are aggregates of children or of siblings: own columns they build on
KEYS = ("surrogate", "foreign")  # roles of columns with which nothing is computed, but for times
NULLS = (NullDecision.name, NullImplication.name)  # of which one rule per column is kept


class TableSearch:
    """Names and ids of one table's columns, and which of them may follow from others."""

    def __init__(self, plan: TablePlan, spec: Table, people: People, ancestors: Ancestors, later: Later) -> None:
        self.plan, self.declared, self.people = plan, spec.declared, people
        self.frame, self.support, self.ancestors = people.frame(plan.table), people.support(plan.table), ancestors
        self.columns = tuple(c for c in plan.context.each if c.column != DEGREE and not c.passing)
        own = [
            c
            for c in plan.columns.each
            if family_of(c.type) and (c.name not in spec.personal or c.type.startswith(TEXT))
        ]
        position = {c.name: i for i, c in enumerate(plan.columns.each)}
        self.ids = {c.name: f"v{position[c.name]}" for c in own}
        self.names = {i: n for n, i in self.ids.items()}
        self.types = {f"v{position[c.name]}": c.type for c in own}
        bounded = {law.column for law in spec.constraints if law.column}
        self.later = {self.id(c): {*map(self.id, own)} for c, own in later.items()}
        twice = {r.column for r in aggregates(plan.rules) if r.is_open}
        closed = {*spec.key_columns, *spec.derived, *bounded, *({*later} - twice)}
        self.drawn = {self.ids[c.name] for c in own if c.role == "model" and c.name not in closed}
        times = {c.name for c in own if family_of(c.type) in ("date", "time", "plain time")}
        self.personal = {self.ids[c.name] for c in own if c.name in spec.personal}
        self.inputs = {self.ids[c.name] for c in own if c.name in times or c.role not in KEYS} - self.personal
        self.numbered = frozenset(self.ids[c] for c in plan.keys.positions.texts if c in self.ids)
        self.written = self.numbered - self.personal
        texts = self.written or any(family_of(self.types[t]) == "other" for t in self.drawn)  # may be ancestors' ones
        self.seen = {
            f"c{i}": c.type
            for i, c in enumerate(self.columns)
            if family_of(c.type) and (texts or c.meaning or family_of(c.type) != "other")
        }
        self.types |= self.seen
        self.inputs |= {i for i in self.seen if self.columns[int(i[1:])].meaning}
        shown = {i for i in self.seen if not self.columns[int(i[1:])].hidden}
        self.holders = {i: keys for i in self.inputs if i in self.seen and (keys := self._holder(i)) is not None}
        self.given = shown | {self.ids[c] for c in plan.columns.named("sequence", "grid") if c in self.ids}

    def context(self, column: str) -> ContextColumn | None:
        """The ancestor's column behind an id."""
        return self.columns[int(column[1:])] if column in self.seen else None

    @property
    def references(self) -> dict[str, str]:
        """How SQL names columns, those of ancestors too, by id."""
        seen = {i: quote(frames.hidden(self.columns[int(i[1:])].name)) for i in self.seen}
        return {**{i: quote(n) for i, n in self.names.items()}, **seen}

    def above(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Names in the context of those of some columns that are ancestors'."""
        return tuple(dict.fromkeys(c.name for i in columns if (c := self.context(i)) is not None))

    def _holder(self, column: str) -> tuple[str, ...] | None:
        """Own columns that hold the key of an ancestor's column; none where it is copied, None if nobody knows."""
        seen = self.columns[int(column[1:])]
        keys = () if seen.verbatim else self.plan.keys.at(seen.path[0]).columns
        return tuple(self.ids[k] for k in keys) if all(k in self.ids for k in keys) else None

    def laws(self) -> list[Law]:
        """Verified laws, and those of kinds that the model learns."""
        frame, key = self.frame, self.plan.keys.primary_key or tuple(self.ancestors.read(self.plan.table).columns)
        types = self.types
        zones = known_zones(frame.sparkSession) if any(types[i] == "timestamp" for i in self.inputs) else ()
        paths = {i: self._path(self.columns[int(i[1:])].path) for i in self.seen}
        inputs, keys = frozenset(self.inputs), _held(self)
        searcher = Searcher(
            types, frozenset(self.drawn), inputs, zones, paths, self.people.k, self.holders, keys, self.written
        )
        some = sampled(frame, key, self.plan.rows)
        sample = self._rows(some, self.seen, hashed=True)
        found = searched(sample, searcher)
        learnt = [law for law in found if not KINDS[law.kind].verified]
        lawful = [law for law in found if law not in learnt and self._lawful(law)]
        possible = [law for law in lawful if not KINDS[law.kind].tabled]
        tabled = [law for law in lawful if KINDS[law.kind].tabled]
        rows = self._rows(frame, [i for i in self.seen if any(i in law.inputs for law in possible)])
        decisions = sharpened(rows, [law for law in possible if law.data], types)
        possible = [law for law in possible if not law.data] + _common(self, decisions)
        held = verified(rows, possible, types)
        kept = [law for one in held if (law := KINDS[one.kind].measured(one, rows, types, self.support)) is not None]
        log.debug("laws_verified", table=self.plan.table, candidates=len(possible), verified=len(kept))
        return [*kept, *self._tabled().hold(tabled, kept), *learnt]

    def _tabled(self) -> Tabled:
        return Tabled(self, lambda above: self._rows(self.frame, above), self.support, self.holders)

    def _lawful(self, law: Law) -> bool:
        """Whether a law leaves personal data alone: such columns repeat an ancestor's, or consist of other ones."""
        repeats = law.kind == "copy" and law.inputs[0] in self.seen
        held, impersonal = not self.personal.isdisjoint(law.inputs), KINDS[law.kind].impersonal
        if law.kind == TextOfParts.name:  # a category is no part of a made-up text, though that begins with it
            impersonal = held and (law.target in self.personal or law.distinct * self.people.k > self.plan.rows)
        alone = repeats or impersonal or self.personal.isdisjoint((law.target, *law.inputs))
        return alone and not any(_born(self, q.column) for q in asked_by(law) if q.asks == "at most" and not q.part)

    def _path(self, path: tuple[int, ...]) -> str:
        """The way to an ancestor, as ``Sample.paths``."""
        first = ",".join(self.ids[c] for c in self.plan.keys.at(path[0]).columns if c in self.ids) or f"{path[0]}"
        return first if len(path) == 1 else f"{first}/{path[1:]}"

    def key(self, column: str) -> tuple[str, ...]:
        """Columns of the key that leads to the ancestor's column behind an id."""
        return self.plan.keys.at(self.at(column).path[0]).columns

    def at(self, column: str) -> ContextColumn:
        """The ancestor's column behind an id of one."""
        return self.columns[int(column[1:])]

    def table(self, column: ContextColumn) -> str:
        """The table that a context column comes from."""
        table = self.plan.table
        for position in column.path:
            table = self.ancestors.keys[table].at(position).references
        return table

    def choice(self, laws: Sequence[Law], but: Collection[str]) -> tuple[Choice, list[Law]]:
        """The laws that give values, and those that others may look at; some columns are no aggregates after all."""
        given = {c.name for c in self.plan.columns.each if c.role not in ("model", "derived")}
        fixed = {self.ids[c] for c in given if c in self.ids} | set(self.seen)
        later = {i: own for i, own in self.later.items() if self._name(i) not in but}
        return steady(laws, fixed, self._taken(), later)

    def _taken(self) -> dict[str, set[str]]:
        return {self.id(t): {self.id(n) for n in self._named(t)} for t in self.declared}

    def rules(self, laws: list[Law]) -> list[Rule]:
        """Chosen and declared laws as the plan keeps them."""
        choice, laws = self.choice(laws, ())
        taken = self._taken()
        inherited = {t: law for t, law in choice.values.items() if law.inputs[0] in self.seen and law.kind == "copy"}
        whole = {t for t, law in choice.values.items() if law.reach == "whole"} | {*taken, *self.later}
        valued = {*choice.values, *taken, *self.later}
        decided = Decided(frozenset(map(self._name, whole)), frozenset(map(self._name, valued)))
        nulls = self._nulls(laws, replace(decided, after=choice.after))
        values = {t: law for t, law in choice.values.items() if t not in inherited}
        free = [c.name for c in self.plan.columns.each if self.id(c.name) not in valued]
        tables = self._tabled().rules(values.values(), nulls, tuple(map(quote, self.plan.keys.primary_key or free)))
        derived = {
            t: tables.get(t) or self._derived(t, values.get(t), nulls) for t in choice.order if t not in inherited
        }
        known = _joined(choice.after, self._needs(nulls.values(), of_nulls=True))
        exact = frozenset(c for c, rule in nulls.items() if rule.exactly)
        decided = Decided(
            frozenset(map(self._name, whole)), frozenset(map(self._name, valued)), frozenset(nulls), exact, after=known
        )
        made = list[Rule]()
        for kind in (k.name for k in kinds() if k.name not in NULLS):
            late = RulesPlan(each=tuple(made)).completed.union(r.column for r in made if r.sql is not None)
            ruled = replace(decided, ruled=frozenset(r.column for r in made), late=late)
            made += self._of(kind, laws, ruled)
        settled = {rule.column for rule in made if rule.sql is not None}  # its nulls among its values
        alone = {c: self.id(c) not in choice.values for c in nulls if c not in settled}
        made += [nulls[c].model_copy(update={"alone": is_alone}) for c, is_alone in alone.items()]
        made += derived.values()
        for target, law in inherited.items():
            base = self.context(law.inputs[0])
            assert base is not None
            made.append(Inherited(column=self.names[target], source=base.name))
        place = {column: i for i, column in enumerate(in_order(self._needs(made)))}
        return sorted(made, key=lambda rule: place.get(self.id(rule.column), -1) if rule.sql is not None else -1)

    def _nulls(self, laws: list[Law], decided: Decided) -> dict[str, NullWhere]:
        """{column: where it is null}: what decisions say exactly, else what other nulls imply, else other decisions."""
        said = [r for r in self._of(NullDecision.name, laws, decided) if isinstance(r, NullWhere)]
        found = {r.column: r for r in said if r.exactly}
        others = [r for r in self._of(NullImplication.name, laws, decided) if isinstance(r, NullWhere)]
        for rule in [*others, *(r for r in said if not r.exactly)]:
            known = self._needs([*found.values(), rule])
            if rule.column not in found and self.id(rule.column) not in reached(known[self.id(rule.column)], known):
                found[rule.column] = rule
        return found

    def _needs(self, rules: Collection[Rule], of_nulls: bool = False) -> dict[str, frozenset[str]]:
        """{id of a column that Spark computes: ids of the columns that must be there before}.

        Args:
            rules: what gives the columns.
            of_nulls: where a column is null with others, these too, though their nulls are there from the beginning:
                what follows from the column leaves them alone.
        """
        late = {r.column for r in rules if r.sql is not None and not isinstance(r, Derived | OnDay)}
        made = dict[str, frozenset[str]]()
        for rule in rules:
            if rule.follows:
                named = names_in(rule.follows, [*self.ids], rule.column not in self.declared) - {rule.column}
                some = isinstance(rule, NullWhere) and rule.causes and not of_nulls
                made[self.id(rule.column)] = frozenset(map(self.id, named & late if some else named))
        return made

    def _of(self, kind: str, laws: list[Law], decided: Decided) -> list[Rule]:
        return KINDS[kind].rules([law for law in laws if law.kind == kind], self, decided)

    def _derived(self, target: str, law: Law | None, nulls: Mapping[str, NullWhere]) -> Derived | OnDay:
        """The rule of a column that follows from others; where it is also null with others, that comes first."""
        name = self._name(target)
        if law is None:
            return Derived(column=name, expression=self.declared[name], whole=True, declared=True)
        names = dict(self.references)
        above = self.above(law.inputs)
        if name in nulls:
            names[target] = nulls[name].expression
            above += nulls[name].above
        sql, whole = law.expression(names, self.types), law.reach == "whole"
        width = self.plan.columns.widths().get(name) if law.kind == TextOfParts.name else None
        sql = sql if width is None else f"left({sql}, {width})"  # made-up parts may be longer together
        above = tuple(dict.fromkeys(above))
        if law.kind == DayOf.name:
            return OnDay(column=name, expression=sql, above=above, whose=names[law.inputs[0]])
        return Derived(column=name, expression=sql, whole=whole, above=above)

    def _name(self, i: str) -> str:
        return self.names.get(i, i.removeprefix("name:"))

    def id(self, name: str) -> str:
        """The id of a column."""
        return self.ids.get(name, f"name:{name}")

    def _named(self, target: str) -> set[str]:
        return names_in(self.declared[target], [c.name for c in self.plan.columns.each]) - {target}

    def _rows(self, frame: DataFrame, wanted: Iterable[str], hashed: bool = False) -> DataFrame:
        """Rows with columns named by id.

        Args:
            frame: of the table.
            wanted: ids of the columns of its ancestors.
            hashed: texts as their hashes, since most kinds ask only what is equal, with the views that kinds ask for,
                and those that are not long as they are.
        """
        types = self.types

        def shown(column: Column, i: str) -> Column:
            return (_hash(column) if hashed and types[i].startswith(TEXT) else column).alias(i)

        own = [*self.support.columns, *(shown(F.col(quote(n)), i) for n, i in self.ids.items())]
        if hashed:
            texts = [(n, i) for n, i in self.ids.items() if i in self.inputs and types[i].startswith(TEXT)]
            own += [_short(F.col(quote(n)), i) for n, i in self.ids.items() if types[i].startswith(TEXT)]
            own += [_hash(F.expr(v.format(quote(n)))).alias(f"{i}:{k}") for n, i in texts for k, v in views().items()]
        places = {i: frames.context(n) for n, i in enumerate(wanted)}
        if not places:
            return frame.select(*own)
        context = ContextPlan(each=tuple(self.columns[int(i[1:])] for i in places))
        joined = replace(self.ancestors, context=context).beside(frame, own)
        kept = [c for c in joined.columns if c == SUBJECT or c.partition(":")[0] in self.names]
        above = [shown(F.col(c), i) for i, c in places.items()]
        above += [_short(F.col(c), i) for i, c in places.items() if hashed and types[i].startswith(TEXT)]
        return joined.select(*(F.col(quote(c)) for c in kept), *above)


def _held(search: TableSearch) -> frozenset[str]:
    """Ids of columns of keys that rows have before anything is drawn."""
    held = (c for fk in search.plan.keys.foreign if fk.role in SEEN for c in fk.columns)
    return frozenset(search.ids[c] for c in held if c in search.ids)


def _born(search: TableSearch, column: str) -> bool:
    """Whether a column is a date of birth, of which no threshold may name somebody's own day."""
    above, tables = search.context(column), search.people.source.metadata.tables
    table, name = (search.plan.table, search.names[column]) if above is None else (search.table(above), above.column)
    return name in tables[table].born


def _common(search: TableSearch, laws: list[Law]) -> list[Law]:
    """Decisions without those that name a value that too few ancestors hold, however many children do."""
    named = {(c, v) for law in laws for c, v in texts_of(law) if c in search.seen and not search.at(c).verbatim}
    rare = set[tuple[str, str]]()
    for column in {c for c, _ in named}:
        seen, values = search.at(column), sorted(v for c, v in named if c == column)
        table, own = search.table(seen), F.col(quote(seen.column))
        if not seen.type.startswith(TEXT):
            own = own.cast("double").cast("string")
        people = search.people.support(table).count().alias("n")
        counts = search.people.frame(table).groupBy(own.alias("value")).agg(people).where(F.col("value").isin(values))
        held = {row["value"] for row in counts.collect() if row["n"] >= search.people.k}  # as many as decisions name
        rare |= {(column, value) for value in values if value not in held}
    return [law for law in laws if rare.isdisjoint(texts_of(law))]


def _joined(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """What follows from what by either."""
    return {c: one.get(c, frozenset()) | other.get(c, frozenset()) for c in [*one, *other]}


def _short(text: Column, i: str) -> Column:
    return F.when(F.length(text) <= LONG, text).alias(i + TEXT_OF)


def _hash(text: Column) -> Column:
    return F.when(text.isNotNull(), F.xxhash64(text).cast("string"))
