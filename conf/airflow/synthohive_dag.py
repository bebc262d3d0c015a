"""A DAG of Airflow that writes a synthetic copy once a month with spark-submit: train, generate, evaluate.

Variables: ``synthohive_home``, the checkout on the workers; ``synthohive_config``, the YAML file of the run.
The cluster is that of the connection ``spark_default``; what it must have is in docs/platforms.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG

HOME, CONFIG = "{{ var.value.synthohive_home }}", "{{ var.value.synthohive_config }}"
# The Delta jars that go with Spark 4.1 (synthohive_spark/launch/delta.py lists the pairs), and the settings they need.
PACKAGES = "io.delta:delta-spark_4.1_2.13:4.2.0"
CONF = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

with DAG(
    dag_id="synthohive",
    description="A synthetic copy of the source lake: train, generate, evaluate.",
    schedule="0 3 1 * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two runs on one target: the second would stop with exit code 5
    default_args={"retries": 1, "retry_delay": timedelta(minutes=10)},
) as dag:
    tasks = [
        SparkSubmitOperator(
            task_id=phase,
            name=f"synthohive {phase}",
            application=f"{HOME}/jobs/{phase}.py",
            application_args=["--config", CONFIG],
            packages=PACKAGES,
            py_files=f"{HOME}/dist/synthohive_spark.zip",
            conf=CONF,
        )
        for phase in ("train", "generate", "evaluate")
    ]
    train, generate, evaluate = tasks
    train >> generate >> evaluate
