"""Vocabularies and the rows of their words: flat, nested, shared, counted, of two inputs, `.keras` and Keras 2."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from core.errors import RecipeError
from tests.core.engine.drive import applied, assert_verified, errors, opened, plan, recipe, saved
from tests.helpers.models import seed_weights

L = keras.layers
OLD = ["a", "b", "c", "d"]
NEW = ["d", "zz", "b", "a", "yy"]


def texts() -> Any:
    given = keras.Input((1,), dtype="string", name="text")
    ids = L.TextVectorization(vocabulary=OLD, output_sequence_length=3, name="words")(given)
    x = L.Flatten()(L.Embedding(6, 4, name="table")(ids))
    return keras.Model(given, L.Dense(3, name="out")(x))


def nested() -> Any:
    """The lookup outside, the table in a model that is called twice."""
    given = keras.Input((3,), dtype="string", name="text")
    ids = L.StringLookup(vocabulary=OLD, num_oov_indices=2, mask_token="", name="words")(given)
    inside = keras.Input((3,), dtype="int64")
    body = keras.Model(inside, L.GlobalAveragePooling1D()(L.Embedding(7, 4, name="table")(inside)), name="body")
    return keras.Model(given, L.Dense(3, name="out")(L.Add()([body(ids), body(L.Identity()(ids))])))


def counted() -> Any:
    """Words as a multi-hot vector into a Dense, beside another input."""
    given = keras.Input((3,), dtype="string", name="text")
    more = keras.Input((2,), name="more")
    bag = L.StringLookup(vocabulary=OLD, output_mode="multi_hot", name="words")(given)
    return keras.Model([given, more], L.Add()([L.Dense(3, name="table")(bag), L.Dense(3)(more)]))


def one_hot() -> Any:
    """Numbers looked up, encoded by a layer of their own."""
    given = keras.Input((1,), dtype="int64", name="text")
    ids = L.IntegerLookup(vocabulary=[10, 20, 30, 40], name="words")(given)
    return keras.Model(given, L.Dense(3, name="table")(L.CategoryEncoding(num_tokens=5)(ids)))


def learnt() -> Any:
    """A vocabulary that the file keeps beside the config."""
    given = keras.Input((1,), dtype="string", name="text")
    words = L.TextVectorization(output_sequence_length=3, name="words")
    words.adapt(["a a a a b b b c c d"])
    x = L.Flatten()(L.Embedding(10, 4, name="table")(words(given)))
    return keras.Model(given, L.Dense(3, name="out")(x))


def answers(model: Any, given: list[Any], width: int) -> Any:
    if isinstance(given[0], int):
        return np.asarray(model(np.array(given)[:, None]))
    rows = [[word] * width for word in given]
    if len(model.inputs) == 2:
        return np.asarray(model([tf.constant(rows), tf.ones((len(given), 2))]))
    return np.asarray(model(tf.constant(rows)))


@pytest.mark.parametrize(
    ("make", "new", "both", "width"),
    [
        (texts, NEW, ["a", "b", "d", "a b", "d d b"], 1),
        (nested, NEW, ["a", "b", "d"], 3),
        (counted, NEW, ["a", "b", "d"], 3),
        (one_hot, [40, 7, 20, 10], [10, 20, 40], 1),
        (learnt, NEW, ["a", "b", "d", "b d"], 1),
    ],
)
def test_that_words_that_stay_answer_as_they_did(make: Any, new: Any, both: Any, width: int, tmp_path: Path) -> None:
    model = make()
    seed_weights(model, calibrate=False)
    written, after = applied(
        saved(model, tmp_path), tmp_path / "out.keras", {"do": "keep_words", "layer": "words", "vocabulary": new}
    )
    assert_verified(written.verification)
    np.testing.assert_allclose(answers(after, both, width), answers(model, both, width), rtol=1e-5, atol=1e-6)
    assert any("new word" in finding.message for finding in written.plan.findings)
    assert after.get_layer("words").get_vocabulary()[-len(new) :] == new


@pytest.mark.parametrize(("fresh", "check"), [("mean", "mean"), ("zeros", "zeros"), ("uniform", "uniform")])
def test_that_new_words_start_as_asked(fresh: str, check: str, tmp_path: Path) -> None:
    model = texts()
    seed_weights(model, calibrate=False)
    old = model.get_layer("table").get_weights()[0]
    edit = {"do": "keep_words", "vocabulary": NEW, "fresh": fresh}
    written, after = applied(saved(model, tmp_path), tmp_path / "out.keras", edit)
    table = after.get_layer("table").get_weights()[0]
    np.testing.assert_array_equal(table[[0, 1, 2, 4, 5]], old[[0, 1, 5, 3, 2]])
    started = table[[3, 6]]
    if check == "mean":
        np.testing.assert_allclose(started, np.broadcast_to(old.mean(axis=0), (2, 4)), rtol=1e-6)
    elif check == "zeros":
        assert not started.any()
    else:
        assert started.std() > 0
        assert np.abs(started).max() <= 0.05
    assert written.plan.ok


@pytest.mark.parametrize("make", [texts, nested, learnt])
@pytest.mark.parametrize("fresh", [("zeros", "uniform"), ("uniform", "uniform"), ("mean", "zeros")])
def test_that_a_second_vocabulary_answers_as_the_source_for_its_words(
    make: Any, fresh: tuple[str, str], tmp_path: Path
) -> None:
    """A word that was new in between has no row of the source: nothing is promised of it, and the rest is exact."""
    model = make()
    seed_weights(model, calibrate=False)
    steps = [
        {"do": "keep_words", "vocabulary": [*NEW[:3], "xx"], "fresh": fresh[0]},
        {"do": "keep_words", "vocabulary": ["xx", "b", "zz", "d", "c"], "fresh": fresh[1]},
    ]
    written, after = applied(saved(model, tmp_path), tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    assert np.allclose(answers(after, ["b", "d", "c"], 3 if make is nested else 1),
                       answers(model, ["b", "d", "c"], 3 if make is nested else 1), rtol=0, atol=1e-5)  # fmt: skip


def test_that_a_vocabulary_changed_by_hand_is_an_error_that_one_click_settles(tmp_path: Path) -> None:
    model = texts()
    seed_weights(model, calibrate=False)
    source = saved(model, tmp_path)
    edit = {"do": "replace_layer", "layer": "words", "config": {"vocabulary": ["d", "c", "b", "a", "zz"]}}
    found = plan(source, edit)
    assert not found.ok
    wrong = next(finding for finding in found.findings if finding.severity == "error")
    assert "'a'" in wrong.message
    assert "'d'" in wrong.message
    _, after = applied(source, tmp_path / "out.keras", edit, *wrong.fixes[0].edits)
    both = ["a", "a b", "d c"]
    np.testing.assert_allclose(answers(after, both, 1), answers(model, both, 1), rtol=1e-5, atol=1e-6)


def test_that_rows_may_stay_where_they_are_if_one_says_so(tmp_path: Path) -> None:
    source = saved(texts(), tmp_path)
    edit = {"do": "replace_layer", "layer": "words", "config": {"vocabulary": ["d", "c", "b", "a"]}}
    wrong = next(finding for finding in plan(source, edit).findings if finding.severity == "error")
    stay = next(fix for fix in wrong.fixes if fix.title.startswith("Leave"))
    assert plan(source, edit, *stay.edits).ok


def test_that_counts_of_another_number_of_words_are_an_error(tmp_path: Path) -> None:
    edit = {"do": "replace_layer", "layer": "words", "config": {"vocabulary": [*reversed(OLD), "e"]}}
    model = counted()
    source = saved(model, tmp_path)
    found = plan(source, edit)
    fixes = {fix.title: fix for one in found.findings if one.severity == "error" for fix in one.fixes}
    fix = fixes["Move each row to its word"]
    assert plan(source, edit, *fix.edits).ok


def test_that_more_words_than_rows_are_an_error(tmp_path: Path) -> None:
    edit = {"do": "replace_layer", "layer": "words", "config": {"vocabulary": [*OLD, "e", "f"]}}
    assert any("indices up to 7" in one for one in errors(plan(saved(texts(), tmp_path), edit)))


def test_that_rows_that_no_word_uses_stay(tmp_path: Path) -> None:
    given = keras.Input((1,), dtype="string")
    ids = L.StringLookup(vocabulary=OLD, name="words")(given)
    model = keras.Model(given, L.Embedding(50, 2, name="table")(ids))
    _, after = applied(
        saved(model, tmp_path), tmp_path / "out.keras", {"do": "keep_words", "vocabulary": [*reversed(OLD), "e"]}
    )
    assert after.get_layer("table").input_dim == 50


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ({"vocabulary": []}, "empty"),
        ({"vocabulary": ["a", "a"]}, "2 times"),
        ({"vocabulary": ["x", "y"]}, "None of the 2 words"),
        ({"vocabulary": [1, 2]}, "takes text"),
        ({"vocabulary": ["a"], "layer": "table"}, "not a lookup"),
    ],
)
def test_that_a_vocabulary_that_cannot_be_is_refused(edit: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=sentence):
        plan(saved(texts(), tmp_path), {"do": "keep_words", **edit})


@pytest.mark.parametrize(
    ("rule", "started"),
    [
        ({"rule": "rows"}, None),
        ({"rule": "rows", "fresh": "zeros"}, 0.0),
        ({"rule": "slice", "keep": list(range(20))}, None),
        ({"rule": "project"}, None),
        ({"rule": "zero_extra"}, 0.0),
        ({"rule": "map", "take": [*range(20), *[None] * 10]}, 0.0),
    ],
)
def test_that_a_larger_table_keeps_its_rows(rule: Any, started: float | None, tmp_path: Path) -> None:
    given = keras.Input((None,), dtype="int32")
    model = keras.Model(given, L.Dense(2)(L.GlobalAveragePooling1D()(L.Embedding(20, 8, name="e")(given))))
    seed_weights(model, calibrate=False)
    edits = [
        {"do": "replace_layer", "layer": "e", "config": {"input_dim": 30}},
        {"do": "set_rule", "weight": "e/embeddings", **rule},
    ]
    written, after = applied(saved(model, tmp_path), tmp_path / "out.keras", *edits)
    table, old = after.get_layer("e").get_weights()[0], model.get_layer("e").get_weights()[0]
    np.testing.assert_array_equal(table[:20], old)
    assert table.shape == (30, 8)
    assert started is None or not table[20:].any()
    assert any("10 of the 30 rows" in finding.message for finding in written.plan.findings)
    ids = np.arange(20)[None]
    np.testing.assert_allclose(after(ids), model(ids), rtol=1e-6)


def test_that_a_table_of_keras_2_is_offered_its_rows(tmp_path: Path) -> None:
    import tf_keras

    inner = tf_keras.Sequential([tf_keras.layers.Embedding(12, 4, input_length=3, name="e")], name="body")
    model = tf_keras.Sequential([inner, tf_keras.layers.Flatten(), tf_keras.layers.Dense(2)])
    model.build((None, 3))
    model.save(tmp_path / "old.h5")
    edit = {"do": "replace_layer", "layer": "body/e", "config": {"input_dim": 7}}
    found = plan(tmp_path / "old.h5", edit)
    wrong = next(finding for finding in found.findings if finding.severity == "error")
    fix = next(fix for fix in wrong.fixes if fix.title == "Keep the first 7 rows, drop 5")
    written, after = applied(tmp_path / "old.h5", tmp_path / "out.keras", edit, *fix.edits)
    ids = np.array([[0, 6, 3]])
    np.testing.assert_allclose(after(ids), model(ids), rtol=1e-5, atol=1e-6)
    assert any("5 of the 12 rows" in finding.message for finding in written.plan.findings)


def test_that_a_rule_that_does_not_fit_is_named(tmp_path: Path) -> None:
    given = keras.Input((None,), dtype="int32")
    model = keras.Model(given, L.Embedding(20, 8, name="e")(given))
    edits = [
        {"do": "replace_layer", "layer": "e", "config": {"input_dim": 30}},
        {"do": "set_rule", "weight": "e/embeddings", "rule": {"rule": "rows", "keep": [99]}},
    ]
    assert any("Choose rows (rows) does not fit" in one for one in errors(plan(saved(model, tmp_path), *edits)))


def test_that_the_plan_of_a_recipe_of_words_travels_as_json(tmp_path: Path) -> None:
    engine = opened(saved(texts(), tmp_path))
    steps = recipe({"do": "keep_words", "vocabulary": NEW, "fresh": "mean"})
    assert engine.plan(steps).ok
