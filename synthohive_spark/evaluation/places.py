"""What was judged of one table, or of one foreign key, in one number."""

from __future__ import annotations

from synthohive_spark.evaluation.judging import FIGURES, Figure, FigureName, figure
from synthohive_spark.evaluation.scores import Evaluation, ForeignKeyScore, TableEvaluation


def table_share(evaluation: Evaluation, table: TableEvaluation) -> float | None:
    """The worst figure of what lies in one table; None where nothing could be judged."""
    return min((f.score for f in table_figures(evaluation, table).values()), default=None)


def table_figures(evaluation: Evaluation, table: TableEvaluation) -> dict[FigureName, Figure]:
    """The figures of what lies in one table, keys to its parents included."""
    places = [table.table, *dict.fromkeys(edge_place(table.table, fk) for fk in table.foreign_keys)]
    judged = [j for place in places for j in evaluation.by_place.get(place, ())]
    found = {name: figure([j for j in judged if j.figure == name]) for name in FIGURES}
    return {name: f for name, f in found.items() if f is not None}


def edge_share(evaluation: Evaluation, table: TableEvaluation, fk: ForeignKeyScore) -> float | None:
    """What one key keeps of children per parent and of what goes together across it; None where nothing is judged."""
    found = figure(evaluation.by_place.get(edge_place(table.table, fk), []))
    return None if found is None else found.score


def edge_place(table: str, fk: ForeignKeyScore) -> str:
    """Where things of a foreign key are judged."""
    return f"{table}({', '.join(fk.columns)}) -> {fk.parent}"
