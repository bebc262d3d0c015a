"""An evaluation in a notebook: what it shows, its frames, figures and files. No Spark."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from synthohive_spark.errors import ConfigError
from synthohive_spark.evaluation import Evaluation, render
from synthohive_spark.evaluation.judging import over_four
from synthohive_spark.evaluation.result import EvaluationResult
from synthohive_spark.evaluation.runs import metric_rows, runs_page
from tests.evaluation.test_evaluate_report import EVIL, Tags, evaluation


def result(name: str = "orders", **about: object) -> EvaluationResult:
    found = evaluation(name)
    return EvaluationResult(**{f.name: getattr(found, f.name) for f in dataclasses.fields(found)}, about=about)


def test_it_shows_itself() -> None:
    shown = result(fail_under=0.8)._repr_html_()
    tags = Tags()
    tags.feed(shown)
    assert tags.open == []
    assert "It passes the gate." in shown
    assert "<style" not in shown, "nothing reaches the notebook's own elements"
    assert shown.index(">columns<") < shown.index(">pairs<"), "worst first"
    assert EVIL not in result(EVIL)._repr_html_()
    assert repr(result()) == (
        "EvaluationResult(2 tables: columns 0.900, pairs 1.000, relations 1.000, c2st 1.000; 0 keys that fail; "
        "furthest: orders column orders amount 0.900)"
    )


def test_frames_say_what_the_page_says() -> None:
    found = result()
    assert list(found.overview["figure"]) == ["columns", "pairs", "relations", "c2st"]
    assert found.overview.loc[0, "judged"] == 1
    columns = found.columns.set_index("column")
    assert columns.loc["orders amount", "share"] == pytest.approx(0.9)
    assert columns.loc["orders city", ["floor", "ceiling", "share"]].isna().all(), "scored, and not judged"
    assert found.pairs.loc[0, ["table", "left", "right", "real", "synthetic"]].tolist() == [
        "orders", "orders a", "b", 0.5, -0.5
    ]  # fmt: skip
    assert found.relations["kind"].tolist() == ["children per parent"]
    assert found.rules.empty
    assert list(found.rules) == ["table", "rule", "broken"]


def test_a_column_or_a_key_is_drawn() -> None:
    picture = result().plot("orders", "orders amount")
    assert ElementTree.fromstring(picture._repr_html_()).tag.endswith("svg")
    assert picture.data["real"].tolist() == [0.2, 0.5, 0.3]
    assert "0.900 alike" in picture.svg
    assert result().plot("orders", "orders key").data["label"].tolist() == ["< 1", "1 to 2", "≥ 2"]
    ElementTree.fromstring(result(EVIL).plot(EVIL, f"{EVIL} city").svg)


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("order", "orders amount", "no table 'order' was evaluated; did you mean 'orders'"),
        ("orders", "orders amont", "orders has no column 'orders amont'; did you mean 'orders amount'"),
        ("orders", "orders note", "orders.orders note was not compared: free text; choose one of"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(table: str, column: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        result().plot(table, column)


def test_page_json_and_picture_are_saved(tmp_path: Path) -> None:
    place = result(model="ctgan").save(str(tmp_path / "new" / "copy.html"))
    assert place == str(tmp_path / "new" / "copy.html")
    assert "Synthetic lake report" in Path(place).read_text(encoding="utf-8")
    details = json.loads((tmp_path / "new" / "copy.json").read_text(encoding="utf-8"))
    assert (details["score"], details["run"]) == (0.9, {"model": "ctgan"})
    picture = result().plot("orders", "orders city").save(str(tmp_path / "city.svg"))
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    with pytest.raises(ConfigError, match=r"does not end in \.html"):
        result().save(str(tmp_path / "copy"))
    with pytest.raises(ConfigError, match=r"does not end in \.svg"):
        result().plot("orders", "orders city").save(str(tmp_path / "city.png"))


def test_a_run_is_kept_as_rows_and_runs_are_drawn_over_time() -> None:
    rows = metric_rows("r-1", evaluation())
    assert [(r.what, r.share) for r in rows if r.kind == "figure"] == [
        ("columns", 0.9), ("pairs", 1.0), ("relations", 1.0), ("c2st", 1.0)
    ]  # fmt: skip
    assert {(r.place, r.what) for r in rows if r.kind == "table"} == {
        ("orders", name) for name in ("columns", "pairs", "relations", "c2st")
    }
    assert [r.place for r in rows if r.kind == "children per parent"] == ["orders(orders key) -> users"]
    page = runs_page([("r-1", "2026-01-01 10:00", "columns", 0.5), ("r-2", "2026-01-02 10:00", "columns", 0.75)])
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert 'd="M0.0 110.0L720.0 55.0"' in page
    assert page.index("r-2.html") < page.index("r-1.html"), "the newest first"
    assert not re.search(r"https?://|@import|url\(", page)


def test_the_score_of_a_small_table_has_an_interval() -> None:
    found = evaluation()
    judged = tuple(dataclasses.replace(j, margin=0.04) if j.figure == "columns" else j for j in found.judged)
    figure = Evaluation(found.tables, found.stages, judged).figures["columns"]
    assert (figure.low, figure.score, figure.high) == (0.86, 0.9, 0.94)
    assert found.figures["columns"].low == found.figures["columns"].high == 0.9
    page = render(Evaluation(found.tables, found.stages, judged), {})
    assert "0.860 to 0.940</small>" in page


def test_the_error_of_four_comparisons_is_that_of_the_halves() -> None:
    halves = (0.0, 2.0, 10.0, 10.0)
    assert over_four(lambda x, y: x + y, halves, 1e12) == (11.0, 1.0), (
        "those of the source two apart, of the copy alike"
    )
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(64))
    pairs = rng.multinomial(500, shares, size=(400, 2))
    spread = np.std([np.abs(p - q).sum() / 1000 for p, q in pairs])
    assert over_four(lambda x, y: 1.0, halves, 500)[1] == pytest.approx(spread, rel=0.1), "the noise of the ceiling"


def test_every_key_of_the_json_is_documented() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "evaluation.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`([a-z_0-9]+)`", text.partition("## The JSON")[2].partition("\n## ")[0]))
    known |= {"columns", "pairs", "relations", "c2st"}
    seen: set[str] = set()

    def walk(tree: object) -> None:
        for key, value in tree.items() if isinstance(tree, dict) else ():
            seen.add(key)
            walk(value)
        for value in tree if isinstance(tree, list | tuple) else ():
            walk(value)

    walk(result().to_dict())
    assert seen - known == set()
