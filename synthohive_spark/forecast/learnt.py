"""What a synthesizer knows, as frames and as a notebook shows it: tables, what is done with their columns, rules."""

from __future__ import annotations

from html import escape

import pandas as pd

from synthohive_spark.forecast.report import ROLES
from synthohive_spark.schema.table_plan import Plans


def columns_frame(plans: Plans) -> pd.DataFrame:
    """Every column: its type and what is done with it."""
    rows = [(t, c.name, c.type, ROLES[c.role]) for t, p in plans.items() for c in p.columns.each]
    return pd.DataFrame(rows, columns=["table", "column", "type", "is"])


def rules_frame(plans: Plans) -> pd.DataFrame:
    """Every rule between columns that a copy keeps."""
    rows = [
        (t, r.column, r.text(lambda seen: f"the parent's {seen}"), r.kind)
        for t, p in plans.items()
        for r in p.rules.each
    ]
    return pd.DataFrame(rows, columns=["table", "column", "is", "kind"])


def tables_frame(plans: Plans) -> pd.DataFrame:
    """Every table: rows of the source, what it follows, columns that are learnt and that are not, rules."""
    rows = []
    for table, plan in plans.items():
        driving = plan.keys.driving
        rows.append(
            {
                "table": table,
                "rows": plan.rows,
                "follows": driving.references if driving is not None else "",
                "model": "copied" if plan.reference else "yes" if plan.learns else "no model needed",
                "learnt": len(plan.columns.named("model")),
                "masked": len(plan.columns.named("shape")),
                "other columns": len(plan.columns.each) - len(plan.columns.named("model", "shape")),
                "rules": len(plan.rules.each),
            }
        )
    return pd.DataFrame(rows)


def learnt_html(title: str, plans: Plans) -> str:
    """What a notebook shows of a synthesizer."""
    return f"<p><b>{escape(title)}</b></p>{tables_frame(plans).to_html(index=False, border=0)}"
