"""What Spark's Python workers are forked from: what they import, which takes longer than most tasks, is there."""

from __future__ import annotations

from importlib import import_module

from pyspark.daemon import manager

from synthohive_spark.worker import forget_archives

if __name__ == "__main__":
    for name in ("generation.stage", "profiling.plan_tables", "training.task"):
        import_module(f"synthohive_spark.{name}")
    import_module("torch")
    forget_archives()
    manager()
