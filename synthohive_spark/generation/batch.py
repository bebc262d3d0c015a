"""One generation batch in a Python worker: families with their parents in, rows of the table out.

The rows are a function of (seed, table, block, slice) and of what the batch holds; the model always sees the whole
batch, in the same order, so partitions, Arrow batches and retries cannot change a row.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.generation.batch_state import BatchState, Step
from synthohive_spark.generation.constraints import ROW
from synthohive_spark.generation.null_patterns import Patterns
from synthohive_spark.generation.steps.copies import RedrawCopies
from synthohive_spark.generation.steps.fakes import WriteFakes
from synthohive_spark.generation.steps.keys import MakePositionKeys
from synthohive_spark.generation.steps.parents import AssignParents, cached_matching
from synthohive_spark.generation.steps.references import ReferWithin
from synthohive_spark.generation.steps.rewriting import RewriteFakes
from synthohive_spark.generation.steps.rules import BeginRules, CompleteRules
from synthohive_spark.generation.steps.uniqueness import TieBreak, UniqueNumbers
from synthohive_spark.generation.steps.values import DrawValues
from synthohive_spark.matching.matching import label_name
from synthohive_spark.models.artifact import Artifact
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.rules.kinds.parents import ParentsInOrder
from synthohive_spark.schema import frames
from synthohive_spark.schema.conversion import TIMES, Values, as_drawn, as_micros, as_spark
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.table_plan import TablePlan
from synthohive_spark.worker import forget_archives


@dataclass(frozen=True)
class BatchGenerator:
    """What the Python workers run.

    Attributes:
        plan: the table.
        patterns: which of the assigned keys are set on which rows, and how many rows the table has.
        sizes: rows of the tables that late keys refer to, by name.
        seed: the generation seed.
        model_cls: the model's class.
        artifact: what training left: the saved model, and which parents go together.
        key: of hashes, empty where there are none.
    """

    plan: TablePlan
    patterns: Patterns
    sizes: Mapping[str, int]
    seed: int
    model_cls: type[ConditionalGenerativeModel]
    artifact: Artifact
    key: bytes = field(default=b"", repr=False)

    def __call__(self, batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Rows of the table, one frame per batch."""
        forget_archives()
        for batch in batches:
            yield self.generate(batch)

    def generate(self, batch: pd.DataFrame) -> pd.DataFrame:
        """The rows of one batch, with every column that is not derived, and what Spark needs beside them."""
        state = BatchState.of(self.plan.table, batch, self.seed)
        for step in self.steps:
            state = step(state)
        types = self.plan.columns.types()
        wanted = [c.name for c in self.plan.columns.each if c.role != "derived"]
        made = pd.DataFrame({c: self._column(c, state, types[c]) for c in wanted}, columns=wanted)
        above = self.plan.rules.beside(self.plan.context)
        if above:
            made = made.assign(**{hidden(c.name): as_spark(state.context[c.name], c.type) for c in above})
        if self.plan.columns.expressions:
            made = made.assign(**self._traces(state))
        return made if state.keep.all() else made[state.keep].reset_index(drop=True)

    def _column(self, name: str, state: BatchState, kind: str) -> Values:
        """A column in its type; a model may have given something else."""
        place = f"{self.plan.table}.{name}"
        made = as_drawn(state.columns[name], kind, place)
        drawn = name in self.plan.columns.named("model") and not self.plan.columns.nullable(name)
        if drawn and (lost := int((made.isna().to_numpy() & state.keep).sum())):
            raise GenerationError(
                f"{place}: null in {lost:,} of {len(made):,} rows of a batch, and it may not be null; mend the model"
            )
        return made

    @functools.cached_property
    def steps(self) -> tuple[Step, ...]:
        """What is done to the rows of a batch, in order."""
        plan, keys, columns = self.plan, self.plan.keys, self.plan.columns
        total, types = self.patterns.total, columns.types()
        nullable = frozenset(c for c in types if columns.nullable(c))
        free = nullable.difference(keys.primary_key)
        own = {c: types[c] for c in columns.named("sequence", "grid")}
        text = self.artifact.matching
        orders = tuple(rule for rule in plan.rules.each if isinstance(rule, ParentsInOrder))
        parents = AssignParents(
            plan.table, keys, plan.context, free, self.patterns, self.sizes, self.seed, text, orders
        )
        made = MakePositionKeys(plan.table, keys, own, total, self.seed, plan.rules.origins)
        moved = frozenset[str]().union(*(rule.moved for rule in plan.rules.each))
        later = not moved.union(columns.apart).isdisjoint(plan.rare.columns)
        steps: list[Step] = [parents, made, BeginRules(plan.rules), self.values]
        if plan.rare.bits:
            steps.append(RedrawCopies(plan.rare, frozenset(), self.values, last=not later))
        if columns.faked:
            copies = {r.column: r.seen[0] for r in plan.rules.each if r.gives == "copied"}
            steps.append(WriteFakes(plan.table, columns, copies, total, self.seed))
        if columns.rewritten:
            steps.append(RewriteFakes(plan.table, columns.rewritten, columns.widths(), self.key))
        steps += [CompleteRules(plan.rules, nullable), UniqueNumbers(columns.apart, total)]
        if plan.rare.bits and later:
            used = moved.union(keys.primary_key, columns.fakes.countries, columns.fakes.genders)
            steps.append(RedrawCopies(plan.rare, used, self.values, last=True))
        if keys.tiebreak is not None:
            rest = tuple(c for c in keys.primary_key if c != keys.tiebreak)
            steps.append(TieBreak(keys.tiebreak, rest, self.values))
        if keys.beside:
            steps.append(ReferWithin(keys.beside, nullable, total, self.seed))
        return tuple(steps)

    @functools.cached_property
    def values(self) -> DrawValues:
        """The step that draws."""
        plan = self.plan
        behind = frozenset(plan.rules.behind(plan.context))
        return DrawValues(
            table=plan.table,
            columns=plan.columns,
            rules=plan.rules,
            driving=plan.keys.driving,
            shown=self.shown,
            behind=behind,
            total=self.patterns.total,
            model_cls=self.model_cls,
            model=self.artifact.model,
        )

    @functools.cached_property
    def shown(self) -> dict[str, str]:
        """Names and Spark types of the columns that the model sees, in its order, then of those that rules see."""
        keys, types, known = self.plan.keys, self.plan.columns.types(), cached_matching(self.artifact.matching)
        labelled = [fk for fk in keys.dealt if fk.position in known.matchers]
        if keys.driving is not None and known.shown:
            labelled.insert(0, keys.driving)
        return {
            **self.plan.context.types(),
            **{c: types[c] for c in self.plan.columns.shown},
            **{label_name(fk.columns): "string" for fk in labelled},
            **self.plan.rules.behind(self.plan.context),
        }

    def _traces(self, state: BatchState) -> dict[str, Values]:
        """What ``constraints`` needs: batch and position of each row, and what the model saw of it."""
        rows = state.rows
        place = {
            hidden(name): pd.Series(value, index=range(rows.count))
            for name, value in zip(frames.BATCH, (rows.block, rows.slice), strict=True)
        }
        shown = {
            hidden(i): as_micros(state.context[name]) if kind in TIMES else as_spark(state.context[name], kind)
            for i, (name, kind) in enumerate(self.shown.items())
        }
        return {**place, ROW: pd.Series(range(rows.count)), **shown}
