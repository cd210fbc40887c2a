"""Detectors and models of several tasks with another number of classes, held against slices worked out by hand."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.errors import RecipeError
from core.surgery.contracts import Classes
from tests.core.engine.drive import applied, assert_verified, plan, saved
from tests.helpers.models import seed_weights

L = keras.layers


def yolo() -> Any:
    """Two scales, three anchors each: box and objectness, then four classes."""
    given = keras.Input((16, 16, 3))
    x = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(given)
    deep = L.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(given, [L.Conv2D(27, 1, name="large")(deep), L.Conv2D(27, 1, name="small")(x)])


def ssd(first: bool = False) -> Any:
    """Class and box heads at two scales, joined; softmax over the classes. Three classes, two anchors."""
    given = keras.Input((16, 16, 3))
    x = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(given)
    deep = L.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    scores, boxes = [], []
    for name, part in (("a", x), ("b", deep)):
        scores.append(L.Reshape((-1, 3))(L.Conv2D(6, 3, padding="same", name=f"scores_{name}")(part)))
        boxes.append(L.Reshape((-1, 4))(L.Conv2D(8, 3, padding="same", name=f"boxes_{name}")(part)))
    score = L.Activation("softmax")(L.Concatenate(axis=1)(scores))
    return keras.Model(given, L.Concatenate(axis=2)([score, L.Concatenate(axis=1)(boxes)]))


def tasks() -> Any:
    """Two tasks over one body that is a model of its own."""
    given = keras.Input((16, 16, 3))
    inside = keras.Input((16, 16, 3))
    body = keras.Model(inside, L.GlobalAveragePooling2D()(L.Conv2D(5, 3)(inside)), name="body")
    x = body(given)
    return keras.Model(given, {"kind": L.Dense(4, name="kind")(x), "age": L.Dense(1, name="age")(x)})


def layer_outputs(model: Any, names: list[str], x: Any) -> list[Any]:
    found = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])(x)
    return [np.asarray(one) for one in found]


X = np.random.default_rng(3).random((2, 16, 16, 3), dtype=np.float32)


def test_that_every_scale_of_a_detector_keeps_boxes_and_classes_per_anchor(tmp_path: Path) -> None:
    model = yolo()
    seed_weights(model, calibrate=False)
    edit = {"do": "change_classes", "classes": 3, "labels": ["cat", "dog", "car", "bus"], "keep": ["bus", "cat"]}
    written, after = applied(saved(model, tmp_path), tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    old, new = (layer_outputs(one, ["large", "small"], X) for one in (model, after))
    for one, two in zip(old, new, strict=True):
        assert two.shape[-1] == 3 * (5 + 3)
        before, now = one.reshape(*one.shape[:-1], 3, 9), two.reshape(*two.shape[:-1], 3, 8)
        np.testing.assert_allclose(now[..., :5], before[..., :5], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(now[..., 5:7], before[..., [8, 5]], rtol=1e-5, atol=1e-6)
    assert any("1 of the 3 classes start at random" in finding.message for finding in written.plan.findings)


def test_that_class_heads_change_and_box_heads_stay(tmp_path: Path) -> None:
    model = ssd()
    seed_weights(model, calibrate=False)
    edit = {"do": "change_classes", "classes": 5, "old_classes": 3}
    written, after = applied(saved(model, tmp_path), tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    old, new = (layer_outputs(one, ["scores_a", "boxes_a", "boxes_b"], X) for one in (model, after))
    np.testing.assert_allclose(new[1], old[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(new[2], old[2], rtol=1e-5, atol=1e-6)
    shown = new[0].reshape(2, 8, 8, 2, 5)[..., :3]
    np.testing.assert_allclose(shown, old[0].reshape(2, 8, 8, 2, 3), rtol=1e-5, atol=1e-6)
    assert after.output_shape == (None, 160, 9)


def test_that_one_task_of_several_gets_other_classes(tmp_path: Path) -> None:
    model = tasks()
    seed_weights(model, calibrate=False)
    edit = {"do": "change_classes", "classes": 2, "old_classes": 4, "keep": [3, 1], "heads": ["kind"]}
    _, after = applied(saved(model, tmp_path), tmp_path / "out.keras", edit)
    old, new = model(X), after(X)
    np.testing.assert_allclose(new["kind"], np.asarray(old["kind"])[:, [3, 1]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(new["age"], old["age"], rtol=1e-6)


def test_that_a_second_change_starts_from_what_the_first_kept(tmp_path: Path) -> None:
    model = yolo()
    seed_weights(model, calibrate=False)
    first = {"do": "change_classes", "classes": 5, "old_classes": 4}
    second = {"do": "change_classes", "classes": 1, "old_classes": 5, "keep": [2]}
    _, after = applied(saved(model, tmp_path), tmp_path / "out.keras", first, second)
    old, new = (layer_outputs(one, ["small", "large"], X)[0] for one in (model, after))
    before, now = old.reshape(2, 8, 8, 3, 9), new.reshape(2, 8, 8, 3, 6)
    np.testing.assert_allclose(now, before[..., [0, 1, 2, 3, 4, 7]], rtol=1e-5, atol=1e-6)


def grouped() -> Any:
    """A head whose filters are in two groups: a filter that moves reads other channels."""
    given = keras.Input((16, 16, 3))
    x = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(given)
    return keras.Model(given, L.Conv2D(6, 1, groups=2, name="scores")(x))


def test_that_a_head_in_groups_is_refused(tmp_path: Path) -> None:
    model = grouped()
    seed_weights(model, calibrate=False)
    with pytest.raises(RecipeError, match="scores has 2 groups of filters"):
        plan(saved(model, tmp_path), {"do": "change_classes", "old_classes": 6, "classes": 2})


@pytest.mark.parametrize("make", [tasks, yolo], ids=["nested", "detector"])
def test_that_no_class_is_called_kept_that_was_new_itself(make: Any, tmp_path: Path) -> None:
    model = make()
    seed_weights(model, calibrate=False)
    steps = [{"do": "change_classes", "old_classes": 4, "classes": 7, "keep": [0]},
             {"do": "change_classes", "old_classes": 7, "classes": 3, "keep": [5, 6]}]  # fmt: skip
    found = plan(saved(model, tmp_path), *steps).contracts
    assert not [one for one in found if isinstance(one, Classes) and not one.new]


def test_that_a_detector_of_keras_2_is_changed(tmp_path: Path) -> None:
    import tf_keras

    layers = tf_keras.layers
    given = tf_keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(given)
    model = tf_keras.Model(given, layers.Reshape((8, 8, 2, 7))(layers.Conv2D(14, 1, name="head")(x)))
    model.save(tmp_path / "old.h5")
    edit = {"do": "change_classes", "classes": 3, "old_classes": 2, "before": 5}
    written, after = applied(tmp_path / "old.h5", tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    new, old = np.asarray(after(X)), np.asarray(model(X))
    assert new.shape == (2, 8, 8, 2, 8)
    np.testing.assert_allclose(new[..., :7], old, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ({"classes": 3}, "old_classes"),
        ({"classes": 3, "old_classes": 6}, "No head of the model has 6 classes"),
        ({"classes": 3, "old_classes": 4, "heads": ["mask"]}, "not a head"),
        ({"classes": 1, "old_classes": 4, "keep": [0, 1]}, "will have only 1"),
        ({"classes": 3, "old_classes": 4, "keep": [4]}, "classes 0 to 3"),
        ({"classes": 0, "old_classes": 4}, "between 1"),
    ],
)
def test_that_classes_that_cannot_be_are_refused(edit: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=sentence):
        plan(saved(yolo(), tmp_path), {"do": "change_classes", **edit})
