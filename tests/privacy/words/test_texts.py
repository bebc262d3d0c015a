"""Texts that nothing explains: nothing below the floor is kept, no real text is written, none twice. No Spark."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from synthohive_spark.privacy.fakes.lists import names, title_words
from synthohive_spark.privacy.word_filter import WordFilter, place_of
from synthohive_spark.privacy.words.draws import Draws
from synthohive_spark.privacy.words.learn import TextLearner
from synthohive_spark.privacy.words.letters import common
from synthohive_spark.privacy.words.plan import TextPlan
from synthohive_spark.privacy.words.tokens import CLASS, sort_of, tokenised
from synthohive_spark.privacy.words.writer import TextWriter
from synthohive_spark.randomness import scatter

K, SALT = 5, "texts"
LETTERS = "abcdeghilmnorstuñßİжю明和"
WORDS = st.text(LETTERS, min_size=1, max_size=8) | st.sampled_from(["The", "of", "SALE", "12", "x2", "Öl", "(new)"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=60)


def learnt(texts: Sequence[str], people: Sequence[int] | None = None, k: int = K, personal: bool = False) -> TextPlan:
    """The plan of some texts, each of a person, with the filter that Spark's part makes."""
    learner = TextLearner(k, personal)
    for i, text in enumerate(texts):
        learner.add(text, i if people is None else people[i])
    every = {part for text in texts for t in [tokenised(text)] for part in ["".join(t), *(w.strip(" ") for w in t)]}
    size = 8
    while size < 2 * len(every):
        size *= 2
    held = WordFilter.of((place_of(part, SALT) % size for part in every), size, SALT)
    return learner.plan().model_copy(update={"held": held})


def written(plan: TextPlan, rows: int, salt: int = 3, width: int | None = None) -> list[str]:
    writer = TextWriter(plan, salt)
    return [writer.write(n, rows, width) for n in scatter(np.arange(rows), rows, salt).tolist()]


def holders(parts: Sequence[tuple[str, int]]) -> dict[str, int]:
    found = defaultdict[str, set[int]](set)
    for part, who in parts:
        found[part].add(who)
    return {part: len(who) for part, who in found.items()}


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.integers(1, 12))
def test_nothing_that_too_few_people_hold_is_in_the_plan(texts: list[str], persons: int) -> None:
    people = [i % persons for i in range(len(texts))]
    plan = learnt(texts, people)
    tokens = [(tokenised(text), who) for text, who in zip(texts, people, strict=True)]
    words = holders([(t.strip(" "), who) for each, who in tokens for t in each])
    runs = [(f"^{t.strip(' ').lower()}$", who) for each, who in tokens for t in each if sort_of(t.strip(" ")[0]) == "a"]
    runs += [(f"#{t.strip(' ')}$", who) for each, who in tokens for t in each if sort_of(t.strip(" ")[0]) == "9"]
    letters = holders([(run[i:j], who) for run, who in runs for i in range(len(run)) for j in range(i + 1, i + 5)])
    assert all(words[w] >= K for t in plan.words if CLASS not in (w := t.strip(" ")))
    assert all(letters[row] >= K for row in plan.letters)
    assert all(n >= K for *_, n in plan.chain) or persons >= K
    saved = json.loads(plan.model_dump_json())
    assert set(saved) == set(TextPlan.model_fields), "all that is saved is looked at here: the filter holds no word"
    rare = {w for w, n in words.items() if n < K and len(w) > 4}
    body = plan.model_copy(update={"held": WordFilter()}).model_dump_json()
    assert [w for w in rare if re.search(rf"(?<![{LETTERS}]){re.escape(w)}(?![{LETTERS}])", body)] == []


@settings(max_examples=30, deadline=None)
@given(TEXTS, st.integers(0, 2**40))
def test_no_text_and_no_rare_word_of_the_source_is_written_and_none_twice(texts: list[str], salt: int) -> None:
    plan = learnt(texts)
    made = written(plan, len(texts), salt)
    real = {"".join(tokenised(t)).lower() for t in texts}
    assert real.isdisjoint(t.lower() for t in made)
    assert len(set(made)) == len(texts)
    kept = {t.strip(" ") for t in plan.words}
    own = {t.strip(" ") for text in made for t in tokenised(text)} - kept
    words = {t.strip(" ").lower() for text in texts for t in tokenised(text)}
    assert own.isdisjoint(words)
    assert written(plan, len(texts), salt) == made, "the same on any machine, and in any batch"


@settings(max_examples=20, deadline=None)
@given(TEXTS, st.integers(8, 40))
def test_no_text_is_longer_than_its_column_or_real(texts: list[str], width: int) -> None:
    plan = learnt(texts)
    made = written(plan, len(texts), width=width)
    assert max(map(len, made)) <= width
    assert {"".join(tokenised(t)).lower() for t in texts}.isdisjoint(t.lower() for t in made if t)


def test_many_rows_have_a_text_each() -> None:
    plan = learnt([f"{w.capitalize()} sauce" for w in common("en_US")[:77]])
    made = written(plan, 50_000)
    assert len(set(made)) == 50_000
    assert np.mean([len(t) for t in made]) < 30


def test_names_of_products_are_new_words_of_that_look() -> None:
    names = ["Chai", "Chang", "Konbu", "Tofu", "Genen Shouyu", "Pavlova", "Ikura", "Filo Mix", "Spegesild", "Geitost"]
    made = written(learnt([f"{n} {end}" for n in names for end in ("Sauce", "Syrup")]), 200)
    assert all(re.fullmatch(r"[A-Z]\w+( [A-Z]\w+)*", t) for t in made)
    assert sum("Sauce" in t or "Syrup" in t for t in made) > 150, "what ten people share is kept"
    assert not {w for t in made for w in t.split()} & {w for n in names for w in n.split()}


def test_titles_are_of_words_of_the_language() -> None:
    titles = [f"{a.capitalize()} {b}" for a in ("restless", "faded", "burning", "broken") for b in ("Oath", "Hymn")]
    made = written(learnt(titles), 500)
    known = {*title_words("en_US"), *common("en_US")}
    words = [w for t in made for w in t.lower().split()]
    assert sum(w in known for w in words) / len(words) > 0.95
    assert len(set(made)) == 500


def test_names_of_people_are_written_as_names() -> None:
    people = names(True)["en_GB"]
    titles = [f"{a} {b}" for a, b in zip(people.given["female"], people.family["female"], strict=False)][:60]
    made = written(learnt(titles), 100)
    own = names(True)["en_US"]
    known = {*own.given["female"], *own.given["male"], *own.family["female"]}
    assert sum(w in known for t in made for w in t.split()) / sum(len(t.split()) for t in made) > 0.8
    assert not {w for t in made for w in t.split()} & {w for t in titles for w in t.split()}
    every = WordFilter.of((place_of(w, "held") % 65_536 for w in [*known][:300]), 65_536, "held")
    writer = TextWriter(learnt(titles), 3, every)
    assert not {*[*known][:300]} & {w for n in range(100) for w in writer.write(n, 100).split()}


def test_an_apostrophe_is_of_its_word_and_titles_repeat_none() -> None:
    assert tokenised("Don't say 'never' d\u2019une") == ["Don't", " say", " '", "never", "'", " d\u2019une"]
    made = written(learnt([f"{w.capitalize()} {w} {w}" for w in common("en_US")[:40]]), 200)
    assert all(len({*t.lower().split()}) == len(t.split()) for t in made)


def test_numbers_are_as_long_as_those_of_the_source() -> None:
    rng = np.random.default_rng(4)
    made = written(learnt([f"{n} g" for n in rng.permutation(np.arange(10, 60))]), 40)
    assert {len(t.split()[0]) for t in made} == {2}
    assert all(t.split()[1] == "g" for t in made)


def test_notes_of_few_people_are_sentences() -> None:
    """What follows what nobody shares with enough others, so that nothing of the source's order is known."""
    rng = np.random.default_rng(5)
    notes = [" ".join(rng.choice(common("en_US"), 40)).capitalize() + "." for _ in range(9)]
    made = written(learnt(notes, personal=True), 9)
    for text in made:
        assert re.fullmatch(r"([A-Z][a-z]*( [a-z]+)*\. ?)+", text), text
        assert {w.lower() for w in re.findall("[A-Za-z]+", text)} <= {*common("en_US")}


def test_comments_read_like_their_language() -> None:
    rng = np.random.default_rng(1)
    who, what = ["The customer", "A nurse", "Our driver", "The office"], ["called about", "asked for", "has seen"]
    thing, when = ["the invoice", "a new date", "the results", "some help"], ["today.", "last week.", "in the morning."]
    texts = [" ".join(rng.choice(part) for part in (who, what, thing)) + f", no. {n}, " + rng.choice(when)
             for n in range(1000, 1400)]  # fmt: skip
    texts += [f"{name} has called today." for name in ("Ludmila", "Horacio")]
    made = written(learnt(texts), 400)
    known = {w for text in texts[:400] for w in text.split()}
    words = [w for text in made for w in text.split()]
    assert sum(w in known for w in words) / len(words) > 0.8
    assert sum(text.endswith(".") for text in made) / len(made) > 0.95
    assert not any(name in text for text in made for name in ("Ludmila", "Horacio"))


def test_markup_of_one_form_keeps_its_structure() -> None:
    rng = np.random.default_rng(2)
    colors = ["red", "blue", "green"]
    texts = [json.dumps({"id": n, "color": colors[n % 3], "user": "".join(rng.permutation(list("abelmnot"))[:6])})
             for n in range(2_000, 2_300)]  # fmt: skip
    read = [json.loads(text) for text in written(learnt(texts), 300)]
    assert {tuple(r) for r in read} == {("id", "color", "user")}
    assert {r["color"] for r in read} >= {*colors}
    assert not {r["id"] for r in read} & set(range(2_000, 2_300))


def test_names_of_people_are_no_words_where_texts_are_about_people() -> None:
    texts = [f"Maria Schmidt called about bill {n}" for n in range(40)]
    assert {" called", " about", " bill"} <= set(learnt(texts, personal=True).words)
    assert not {"Maria", " Schmidt"} & set(learnt(texts, personal=True).words)
    assert "Maria" in learnt(texts).words


def test_one_person_of_many_rows_is_one() -> None:
    texts = ["Deliver to Wolfram Kessler"] * 50 + ["Deliver to somebody"] * 10
    plan = learnt(texts, [0] * 50 + [*range(1, 11)])
    assert {"Deliver", " to"} <= set(plan.words)
    assert "Wolfram" not in plan.model_dump_json()
    assert not any("wol" in row for row in plan.letters)


@pytest.mark.parametrize("texts", [["Привет мир", "Новый дом", "Старый город"], ["東京都", "大阪府", "京都市"],
                                   ["नमस्ते दुनिया", "नया घर"], ["שלום עולם", "בית חדש"]])  # fmt: skip
def test_texts_keep_their_script(texts: list[str]) -> None:
    made = "".join(written(learnt(texts * 10), 60)).replace(" ", "")
    spoken = {ch for t in texts for ch in t} | set("".join(common(learnt(texts * 10).language)))
    assert sum(ch.isascii() for ch in made) / len(made) < 0.05
    assert {ch.lower() for ch in made if not ch.isascii()} <= {ch.lower() for ch in spoken}


def test_choices_tell_every_number_apart_and_have_their_shares() -> None:
    seen, first = set[tuple[int, ...]](), list[int]()
    for number in range(5_000):
        draws, made = Draws(number, 5_000, 9), list[int]()
        while draws.coded:
            made.append(draws.choose([1, 4, 6, 10]))
        seen.add(tuple(made))
        first.append(made[0])
        assert 0 <= draws.choose([3, 7]) <= 1
    assert len(seen) == 5_000
    assert [first.count(i) for i in range(4)] == [500, 1_500, 1_000, 2_000]


@pytest.mark.parametrize("damage", [{"chain": [[7, 1]]}, {"chain": [[0]]}, {"chain": [[0, 0]]}, {"sizes": []},
                                    {"letters": {"abcde": 1}}, {"words": [""]}, {"language": "../x"},
                                    {"sizes": [[0, 1]]}, {"lengths": [[1, 0]]}, {"longest": 0}])  # fmt: skip
def test_a_damaged_plan_is_refused(damage: dict[str, object]) -> None:
    good = learnt(["Some words", "Some more words"] * 5).model_dump(mode="json")
    assert TextPlan.model_validate(good)
    with pytest.raises(ValidationError):
        TextPlan.model_validate({**good, **damage})
