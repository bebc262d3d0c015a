"""Real against synthetic, in Spark: keys, columns, relations, a gate and a report."""

from synthohive_spark.evaluation.compare import evaluate
from synthohive_spark.evaluation.report import render
from synthohive_spark.evaluation.scores import Evaluation, TableEvaluation

__all__ = ["Evaluation", "TableEvaluation", "evaluate", "render"]
