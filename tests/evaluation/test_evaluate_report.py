"""The gate, and the report: what it says, what it escapes, what it does not load. No Spark."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from synthohive_spark.errors import QualityError
from synthohive_spark.evaluation import Evaluation, TableEvaluation, charts, render
from synthohive_spark.evaluation.bins import wide_enough
from synthohive_spark.evaluation.heatmaps import heat_maps
from synthohive_spark.evaluation.judging import Judged
from synthohive_spark.evaluation.rules import describe
from synthohive_spark.evaluation.schema_picture import BOX_WIDTH, schema_picture
from synthohive_spark.evaluation.scores import (
    ColumnScore,
    ConstraintCheck,
    DerivedColumn,
    Examples,
    ForeignKeyScore,
    Histogram,
    PairScore,
    PrimaryKeyCheck,
    SkippedColumn,
)
from synthohive_spark.evaluation.summary import summary
from synthohive_spark.tables import Constraint

EVIL = "<script>alert('x')</script>"
RUN = {"run_id": "r-1", "seed": 7, "model": "ctgan", "seconds": 75.2, "driver_python_mib": 1512.3}
CONTEXT = {"fail_under": 0.8, **RUN}


def evaluation(name: str = "orders", orphans: int = 0, score: float = 0.9) -> Evaluation:
    bins = Histogram(("< 1", "1 to 2", "≥ 2"), (0.2, 0.5, 0.3), (0.1, 0.6, 0.3))
    cities = Histogram((*(f"{name} city {i}" for i in range(12)), "other"), (1 / 13,) * 13, (1 / 13,) * 13, True)
    key = ForeignKeyScore((f"{name} key",), "users", ("id",), orphans, 0.0, 0.125, 0.7, 2.0, 2.5, 9, 1234, bins)
    columns = (
        ColumnScore(f"{name} amount", "number", score, 0.0, 0.25, bins),
        ColumnScore(f"{name} city", "string", score, 0.0, 0.0, cities),
    )
    skipped = (SkippedColumn(f"{name} note", "free text"),)
    pairs = (PairScore(f"{name} a", "b", 0.5, -0.5, 0.5),)
    child = TableEvaluation(name, 1000, 2000, columns, skipped, PrimaryKeyCheck(("id",), 0, 0), (key,), pairs, 1)
    parent = TableEvaluation("users", 10, 20, (), (), PrimaryKeyCheck(("id",), 0, 0), (), ())
    judged = (
        Judged("columns", name, "column", f"{name} amount", score, 0.0, 1.0),
        Judged("pairs", name, "pair", f"{name} a and b", 0.95, 0.2, 0.9),
        Judged(
            "relations", f"{name}({name} key) -> users", "children per parent", "children of users", 0.97, 0.5, 0.97
        ),
        Judged("c2st", name, "c2st", f"rows of {name}", 1.0, 0.1, 0.98),
    )
    return Evaluation((child, parent), (("users",), (name,)), judged, (f"{name}.note: free text",))


class Tags(HTMLParser):
    """Collects the tags of a page, and those left open."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_gate_names_the_figure_and_what_is_worst() -> None:
    found = evaluation(score=0.75)
    assert found.score == 0.75, "the worst of the four"
    assert {name: f.score for name, f in found.figures.items()} == {
        "columns": 0.75, "pairs": 1.0, "relations": 1.0, "c2st": 1.0
    }  # fmt: skip
    found.check(0.75)
    found.check({"pairs": 1.0, "columns": 0.7})
    with pytest.raises(QualityError, match=r"columns 0\.7500 is below evaluate\.fail_under 0\.8"):
        found.check({"pairs": 1.0, "columns": 0.8})
    with pytest.raises(QualityError) as error:
        found.check(0.8)
    assert error.value.exit_code == 6
    for part in ("columns 0.7500", "fail_under 0.8", "orders column orders amount 0.750", "Train longer"):
        assert part in str(error.value)


def test_orphans_fail_any_gate() -> None:
    with pytest.raises(QualityError, match=r"orders\(orders key\) -> users\(id\): 1,200 rows without a parent"):
        evaluation(orphans=1200).check(0)


def test_a_gate_needs_something_to_judge() -> None:
    found = Evaluation(evaluation().tables[1:], (("users",),))
    assert found.score is None
    found.check(0)
    with pytest.raises(QualityError, match="nothing could be judged"):
        found.check(0.1)


def test_it_names_what_was_found() -> None:
    page = render(evaluation(), CONTEXT)
    for text in (
        "Passes the gate", "0.900", "orders amount", "orders city 3", "orders note", "free text", "mean 2 → 2.5",
        "most 9 → 1,234", "r-1", "ctgan", "1 min 15 s", "1,512 MiB", "orders(orders key) refers to users(id)",
        "null 0 % → 25 %",
    ):  # fmt: skip
        assert text in page, text


def test_orphans_are_said_and_fail_the_gate() -> None:
    page = render(evaluation(orphans=3), CONTEXT)
    assert "Does not pass the gate" in page
    assert "orders(orders key) -&gt; users(id): 3 rows without a parent." in page
    assert 'class="edge good broken"' in page


def test_a_low_score_fails_and_no_gate_gives_no_verdict() -> None:
    assert "Does not pass the gate" in render(evaluation(score=0.79999), CONTEXT)
    assert "0.799" in render(evaluation(score=0.79999), CONTEXT), "never rounded up to the gate"
    page = render(evaluation(), {"note": EVIL})
    assert "the gate</p>" not in page


def test_derived_columns_and_constraints_are_listed_with_where_they_come_from() -> None:
    derived = (
        DerivedColumn("total", "price * quantity", declared=True),
        DerivedColumn("hour", "`clock` div 100", declared=False, broken=0),
        DerivedColumn("due", "after `begun`", declared=False, broken=3),
    )
    checks = (ConstraintCheck("start <= end", 0), ConstraintCheck("rating: at least 2", 1204))
    child = dataclasses.replace(evaluation().tables[0], derived=derived, constraints=checks)
    found = Evaluation((child, *evaluation().tables[1:]), evaluation().stages)
    table = json.loads(json.dumps(found.to_dict()))["tables"][0]
    assert table["derived"][1] == {"column": "hour", "source": "`clock` div 100", "declared": False, "broken": 0}
    assert table["constraints"] == [
        {"rule": "start <= end", "broken": 0},
        {"rule": "rating: at least 2", "broken": 1204},
    ]
    page = render(found, CONTEXT)
    rules = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    for row in (
        "total price * quantity declared not counted", "hour `clock` div 100 found holds on every row",
        "due after `begun` found broken on 3 rows", "start &lt;= end holds on every row",
        "rating: at least 2 broken on 1,204 rows",
    ):  # fmt: skip
        assert row in rules, row
    assert page.count("<h4>Rules") == page.count("<h4>Constraints") == 1, "nothing for a table without rules"


def test_a_constraint_is_described_for_people() -> None:
    laws = [
        Constraint(column="rating", min=2, max=4.5),
        Constraint(column="size", allowed=("S", "M", *range(8))),
        Constraint(expression="a\n  < b"),
    ]
    assert [describe(law) for law in laws] == [
        "rating: at least 2, at most 4.5",
        "size: one of S, M, 0, 1, 2, 3 and 4 more",
        "a < b",
    ]


def test_models_are_a_table_and_not_a_heap_of_numbers() -> None:
    metrics = {"sample_rows": 4893, "steps": 780, "train_seconds": 12.34, "device": "cpu", "history": [{"loss": 0.123}]}
    page = render(evaluation(), {**CONTEXT, "models": {"atom": metrics, "airlines": {}}})
    row = re.search(r'<tr><th scope="row">atom</th>.*?</tr>', page)
    assert row is not None
    assert re.findall(r">([^<>]+)</t[dh]>", row[0]) == ["atom", "4,893", "780", "12.3", "cpu"]
    assert "0.123" not in page, "one look is no curve"
    assert ">airlines</th>" not in page


def test_training_is_a_curve_for_each_loss() -> None:
    history = [{"step": 10 * i, "epoch": i, "held_out_loss": 4.0 - i, "loss": float("nan")} for i in range(3)]
    (curve,) = charts.curves(history)
    assert (curve.name, curve.first, curve.last) == ("held out loss", 4.0, 2.0)
    assert curve.path == "M0.0 0.0L60.0 14.0L120.0 28.0"
    metrics = {"sample_rows": 9, "train_seconds": 1.0, "history": history}
    assert 'aria-label="held out loss from 4 to 2"' in render(evaluation(), {"models": {"orders": metrics}})


def test_every_value_is_escaped() -> None:
    page = render(evaluation(name=EVIL, orphans=1), {**CONTEXT, "run_id": EVIL, "model": EVIL, EVIL: EVIL})
    assert EVIL not in page
    assert page.count("<script>") == 1
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("name", ["orders", EVIL, 'a"b', "<b>&"])
def test_the_page_is_whole_and_loads_nothing(name: str) -> None:
    page = render(evaluation(name=name), CONTEXT)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    for tag, attributes in tags.seen:
        assert tag not in ("link", "img", "iframe", "object")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"https?://|@import|url\(", page)


def test_columns_come_furthest_first() -> None:
    whole = evaluation()
    child = whole.tables[0]
    far = ColumnScore("far away", "number", 0.1, 0.0, 0.0, child.columns[0].histogram)
    table = TableEvaluation("t", 1, 1, (*child.columns, far), (), None, (), ())
    page = render(Evaluation((table,), (("t",),)), {})
    assert page.index('data-name="far away"') < page.index('data-name="orders amount"')


def test_an_evaluation_without_columns_or_tables_renders() -> None:
    assert "n/a" in render(Evaluation((), ()), {"fail_under": 0.8})


def test_more_categories_than_rows_are_folded() -> None:
    drawn = charts.chart(evaluation().tables[0].columns[1].histogram, "city")
    assert drawn.labels[-1][1] == "6 more"
    assert len(drawn.labels) == charts.ROWS_SHOWN + 1


def test_the_schema_places_children_right_of_their_parents() -> None:
    picture = schema_picture(evaluation())
    at = {box.table.table: box for box in picture.boxes}
    assert at["orders"].x > at["users"].x + BOX_WIDTH
    assert [edge.share for edge in picture.edges] == [1.0]
    assert [at[t].share for t in ("orders", "users")] == [0.9, None], "the worst of what lies in a table"


def test_many_tables_are_drawn_without_the_names_of_keys() -> None:
    users = evaluation().tables[1]
    many = tuple(dataclasses.replace(users, table=f"users {i}") for i in range(21))
    found = Evaluation((*many, dataclasses.replace(evaluation().tables[0], foreign_keys=())), ())
    assert (
        schema_picture(dataclasses.replace(found, stages=(tuple(t.table for t in found.tables),))).boxes[0].keys == ()
    )


def test_bars_of_both_sides_stand_beside_each_other_and_are_said() -> None:
    drawn = charts.chart(Histogram(("< 1", "≥ 1"), (0.25, 0.75), (0.5, 0.5)), "amount")
    real, copy = (re.findall(r"M([\d.]+) 92v-([\d.]+)", path) for path in (drawn.real, drawn.synthetic))
    assert [float(h) for _, h in real] == pytest.approx([92 * 0.97 / 3, 92 * 0.97], abs=0.1)
    assert [float(h) for _, h in copy] == pytest.approx([92 * 0.97 * 2 / 3] * 2, abs=0.1)
    assert [float(c[0]) > float(r[0]) for r, c in zip(real, copy, strict=True)] == [True, True]
    assert drawn.numbers == "< 1\t0.25\t0.5\n≥ 1\t0.75\t0.5"
    assert (
        drawn.spoken
        == "amount: most often ≥ 1, real 75 %, synthetic 50 %; furthest apart at < 1, real 25 %, synthetic 50 %"
    )


def test_three_maps_show_what_goes_together() -> None:
    pairs = (PairScore("a", "b", 0.95, -0.95, 0.05), PairScore("a", "c", 0.0, 0.0, 1.0, "contingency", 0.31, 0.35))
    maps = heat_maps(pairs)
    assert maps is not None
    assert maps.columns == ("a", "b", "c")
    assert [m.kind for m in maps.maps] == ["real", "synthetic", "difference"]
    assert [[shade for shade, _ in m.shades] for m in maps.maps] == [[4, 10], [4, 10], [1, 10]]
    assert maps.numbers == "1\t0\t0.95\t-0.95\n2\t0\t0\t0"
    assert "a and b, real 0.95, synthetic -0.95" in maps.spoken
    assert heat_maps(()) is None


def test_the_summary_says_what_is_good_what_is_not_and_what_to_do() -> None:
    whole = evaluation()
    lost = Judged("pairs", "orders", "pair", "orders a and b", 0.2, 0.2, 0.9)
    order = Judged("relations", "orders(orders key) -> users", "order", "amount by day", 0.6, 0.5, 0.97)
    child = dataclasses.replace(
        whole.tables[0],
        pairs=(PairScore("orders a", "b", 0.88, 0.15, 0.6),),
        constraints=(ConstraintCheck("a < b", 4),),
    )
    found = Evaluation((child, whole.tables[1]), whole.stages, (*whole.judged, lost, order), whole.left_out)
    said = summary(found, {"pairs": 0.8}, "ctgan")
    assert [line.name for line in said.figures] == ["pairs", "relations", "columns", "c2st"], "worst first"
    assert (said.passed, said.figures[0].below, said.figures[1].gate) == (False, True, None)
    assert "The weakest figure is pairs" in said.verdict
    assert said.good[0].startswith("Columns: 90% of the way")
    assert "1 foreign key without a row that lacks its parent" in " ".join(said.good)
    assert said.bad[0] == "orders: a < b is broken on 4 rows."
    assert said.bad[1] == (
        "orders: orders a and b go together otherwise (correlation 0.88 in the source, 0.15 in the copy)."
    )
    assert "order of rows of one parent is lost in amount by day" in said.bad[2]
    assert said.todo[0].startswith("Try train.model: autoregressive")
    assert "1 thing could not be judged" in said.todo[-1]
    assert summary(whole, None).passed is None


def test_rows_of_the_copy_and_the_privacy_panel_are_shown() -> None:
    rows = Examples(("id", EVIL), (("1", None), ("2", EVIL)))
    child = dataclasses.replace(evaluation().tables[0], examples=rows)
    found = Evaluation((child, evaluation().tables[1]), evaluation().stages)
    page = render(found, {"privacy": {"copies": 0, "attack": {"advantage": 0.0312}}})
    assert 'Synthetic rows <span class="dim">2 of 2,000</span>' in page
    assert '<td class="dim">null</td>' in page
    assert EVIL not in page
    assert re.search(r"<dt>attack · advantage</dt><dd>0.0312</dd>", page)
    assert "privacy" not in render(found, {"privacy": {}})


def test_headings_are_in_order_and_pictures_have_words() -> None:
    page = render(evaluation(), CONTEXT)
    levels = [int(n) for n in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    pictures = re.findall(r"<svg[^>]*>", page)
    assert len(pictures) == 7, "two columns, one key, three maps, the schema"
    assert all(re.search(r'role="(img|group)" aria-label="[^"]+', p) for p in pictures)
    for landmark in ("header", "main", "footer"):
        assert page.count(f"<{landmark}>") == 1


@pytest.mark.parametrize(
    ("counts", "least", "kept"),
    [
        ([5, 5, 5], 3, [0, 1]),
        ([1, 2, 5, 0, 4], 3, [1, 2, 3]),
        ([5, 0, 0, 2], 3, []),
        ([9, 5, 0, 2], 3, [0]),
        ([0, 0, 1, 1], 3, []),
        ([4, 2], 5, []),
        ([7], 1, []),
        ([1, 0, 1], 1, [0, 1]),
    ],
)
def test_bins_of_too_few_are_joined(counts: list[float], least: int, kept: list[int]) -> None:
    assert wide_enough(np.array(counts, dtype=float), least) == kept


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.0004, "<0.1 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (0.999, "100 %")],
)
def test_percentages(share: float, text: str) -> None:
    assert charts.percent(share) == text


def test_a_bin_rests_on_families_not_on_rows() -> None:
    groups = np.zeros((4, 8))
    groups[0, [0, 1, 2]] = 5  # three families
    groups[1, 3] = 40  # one, with many rows
    groups[2, 3] = 40  # the same one
    groups[3, [4, 5, 6]] = 1
    assert wide_enough(groups, 3) == [0], "the second and third bin rest on one family, together too"
