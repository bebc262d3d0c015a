"""What the columns of a table are written as that no model may learn: fakes, masks, nulls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyspark.sql import DataFrame

from synthohive_spark.logs import get_logger
from synthohive_spark.personal import PersonalColumn, is_faked, is_rewritten
from synthohive_spark.privacy.fakes.lists import known_countries
from synthohive_spark.privacy.fakes.plan import Fake, FakeRows, Kind
from synthohive_spark.privacy.support import Support
from synthohive_spark.profiling.fakes import NAMED, NUMBERED, PLACED, fake_rows, faked_kinds, fakes, nulls_by_country
from synthohive_spark.profiling.personal import PersonalData
from synthohive_spark.profiling.shapes import Shapes, shape_plans
from synthohive_spark.profiling.texts import TextColumns
from synthohive_spark.rules.kinds.copy import Inherited
from synthohive_spark.rules.kinds.mostly_equal import EqualOnMostRows
from synthohive_spark.schema.columns import ColumnsPlan, ShapePlan, Treatment
from synthohive_spark.schema.context import ContextColumn, ContextPlan
from synthohive_spark.schema.rule import Rule
from synthohive_spark.sql import names_in
from synthohive_spark.tables import Table

log = get_logger(__name__)


def agrees_anyway(rule: Rule, treated: Mapping[str, Treatment], key: Collection[str]) -> bool:
    """Whether a rule puts together what fakes of the row's person are made of anyway: an address of fake names.

    With the row's key in it, it says more, and no two rows get the same.
    """
    own = treated.get(rule.column)
    if own is None or own.action != "fake" or own.kind not in NUMBERED or rule.gives != "derived" or rule.sql is None:
        return False
    parts = [treated[c] for c in names_in(rule.sql, list(treated)) - {rule.column}]
    return any(is_faked(part.action) and part.kind in NAMED for part in parts) and not names_in(rule.sql, key)


def is_overruled(rule: Rule, treated: Mapping[str, Treatment], above: Mapping[str, Treatment]) -> bool:
    """Whether a rule says what stands in a column of which a person said that hashes or their own texts are written.

    Args:
        rule: of the table.
        treated: its personal columns.
        above: those of its ancestors, by their names in the context.
    """
    own = treated.get(rule.column)
    if own is None or not is_rewritten(own.action):
        return False
    if isinstance(rule, Inherited | EqualOnMostRows):  # what repeats an ancestor's repeats what is written there
        source = above.get(rule.source)
        return source is None or source.action != own.action
    return True


def as_places(rules: Sequence[Rule], columns: ColumnsPlan, context: ContextPlan) -> list[Rule]:
    """The rules, of which those on the parts of one place go together: no street of one city stands in another.

    Args:
        rules: of the table.
        columns: its columns, with their fakes.
        context: what its rows see of their ancestors.
    """
    paths = {c.name: c.path for c in context.each}
    places = defaultdict[tuple[int, tuple[int, ...]], dict[str, Kind]](dict)
    for rule in rules:
        fake = columns.faked.get(rule.column)
        if isinstance(rule, EqualOnMostRows) and fake is not None and fake.kind in PLACED:
            places[fake.nth, paths[rule.source]][rule.column] = fake.kind
    leaders = dict[str, str]()
    for parts in places.values():
        first = min(parts, key=lambda c: PLACED.index(parts[c]))
        leaders |= {c: first for c in parts if c != first}
    return [r.model_copy(update={"leader": leaders[r.column]}) if _led(r, leaders) else r for r in rules]


def _led(rule: Rule, leaders: Mapping[str, str]) -> bool:
    return isinstance(rule, EqualOnMostRows) and rule.column in leaders


@dataclass(frozen=True)
class Protection:
    """The protected columns of one table.

    Attributes:
        spec: its metadata.
        data: what is personal in the source.
        table: its name.
        context: what its rows see of their ancestors.
        parent: the ancestor that a context column comes from, and its columns.
        follow: {column that repeats fakes of an ancestor: what is done with it}.
    """

    spec: Table
    data: PersonalData
    table: str
    context: ContextPlan
    parent: Callable[[ContextColumn], tuple[str, ColumnsPlan]]
    follow: Mapping[str, Treatment] = field(default_factory=dict)

    def following(self, rules: Sequence[Rule]) -> Protection:
        """With the columns that equal fakes of ancestors, on all rows or on most, so that they repeat the same fake."""
        seen, found = {c.name: c for c in self.context.each}, dict[str, Treatment]()
        closed = {*self.spec.pii, *self.spec.key_columns}  # of these somebody said what becomes of them
        for rule in rules:
            if isinstance(rule, Inherited | EqualOnMostRows) and rule.column not in closed:
                source = seen[rule.source]
                parent, columns = self.parent(source)
                kind = columns.kinds.get(source.column)
                if kind is not None:
                    evidence, above = f"repeats {parent}.{source.column}", columns.personal.get(source.column)
                    action = above.action if above is not None else "fake"
                    found[rule.column] = Treatment(kind=kind, action=action, evidence=evidence)
        return replace(self, follow=found)

    @property
    def _treated(self) -> Mapping[str, Treatment]:
        return {**self.data.treated[self.table], **self.follow}

    def shapes(self, frame: DataFrame, learnt: Mapping[str, str], support: Support) -> Shapes:
        """Shapes of personal data, of what repeats it, of rare texts, and of binary values.

        Args:
            frame: the table, as ``support`` counts it.
            learnt: {column that a model would learn otherwise: its Spark type}.
            support: a value that fewer people hold is rare.
        """
        opaque = (c for c in learnt if learnt[c] == "binary")  # of which nothing but the length can be learnt
        pii = {**self.spec.pii, **{c: PersonalColumn() for c in (*self.follow, *opaque)}}
        spec = self.spec.model_copy(update={"pii": pii})
        found = shape_plans(frame, spec, learnt, support, self._kinds(learnt))
        dropped = {c: ShapePlan(null_share=1.0) for c, t in self._treated.items() if t.action == "drop"}
        return Shapes({**found.shapes, **dropped}, {c: n for c, n in found.alone.items() if c not in dropped})

    def _kinds(self, types: Mapping[str, str], of: Collection[str] | None = None) -> dict[str, Kind]:
        """The columns that are written as fakes if no model learns them."""
        bounded = {c for law in self.spec.constraints for c in names_in(law.sql, list(types))}  # these are drawn again
        unique = {c for key in self.spec.unique for c in key}
        meanings = self.data.meanings[self.table]
        found = faked_kinds(types, meanings, self._treated, {*bounded, *self.spec.derived, *self.spec.key_columns})
        wanted = types if of is None else of
        return {c: kind for c, kind in found.items() if c in wanted and (c not in unique or kind in NUMBERED)}

    def with_fakes(self, frame: DataFrame, columns: ColumnsPlan, rows: int, support: Support) -> ColumnsPlan:
        """The columns with how fakes look; what repeats those of ancestors is personal too.

        Args:
            frame: the table, as ``support`` counts it.
            columns: its columns.
            rows: how many it has.
            support: of texts, what fewer people share is not kept.
        """
        made = fakes(frame, self._kinds(columns.types(), columns.shapes), columns.widths())
        told = self._fake_rows(frame, columns, made) if made else columns.fakes
        texts = {c: c in self._treated for c, fake in made.items() if fake.text is not None}
        key = self.spec.primary_key or tuple(columns.types())
        learnt = TextColumns(texts, key, rows, known_countries()[told.home].names).plans(frame, support)
        for c, text in learnt.items():
            distinct = made[c].text or text
            made[c] = made[c].model_copy(update={"text": text.model_copy(update={"distinct": distinct.distinct})})
        for c, country in self._regions(frame, columns, made, told).items():
            made[c] = made[c].model_copy(update={"nulls": nulls_by_country(frame, c, country, support)})
        shapes = {c: s.model_copy(update={"fake": made.get(c)}) for c, s in columns.shapes.items()}
        follow = {c: t for c, t in self.follow.items() if columns.role(c) in ("shape", "copied")}
        for c, t in follow.items():
            log.info("personal_column", table=self.table, column=c, **t.in_short)
        update = {"shapes": shapes, "personal": {**columns.personal, **follow}, "fakes": told}
        return columns.model_copy(update=update)

    def _regions(
        self, frame: DataFrame, columns: ColumnsPlan, made: Mapping[str, Fake], told: FakeRows
    ) -> dict[str, str]:
        """{column of regions with nulls: the own column that names the row's country}."""
        own = [c for c in told.countries if c in frame.columns]
        regions = {
            c: fake.nth for c, fake in made.items() if fake.kind == "region" and columns.shapes[c].null_share > 0
        }
        return {c: own[min(nth, len(own) - 1)] for c, nth in regions.items()} if own else {}

    def _fake_rows(self, frame: DataFrame, columns: ColumnsPlan, made: Mapping[str, Fake]) -> FakeRows:
        """What the fakes of a row have in common."""
        meanings, late = self.data.meanings, columns.named("derived", "foreign")  # made when the fakes are there
        own = {c: m for c, m in meanings[self.table].items() if c not in late}
        above = {
            c.name: m
            for c in self.context.each
            if c.meaning and (m := meanings[self.parent(c)[0]].get(c.column)) is not None
        }
        return fake_rows(frame, made, own, above, self.data.held)
