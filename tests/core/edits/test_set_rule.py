import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from core.edits import ChangeInput, SetRule
from core.errors import EditError, RecipeError
from core.recipes.recipe import from_json
from core.rules import Initialize, parse_rule
from tests.core.engine.drive import applied, assert_verified, errors, plan


def test_that_a_rule_settles_one_weight(bench: Any) -> None:
    built = bench("sequential").built(
        SetRule(weight="hidden/kernel", rule=parse_rule({"rule": "initialize", "seed": 3, "initializer": "he_normal"}))
    )
    assert built.fates["hidden/kernel"] == "initialize"
    assert built.fates["hidden/bias"] == "copied"


def test_that_rules_for_other_axes_stay(bench: Any) -> None:
    graph = bench("flat").edited(ChangeInput(shape=(16, 16, 1)), SetRule(weight="stem/kernel", rule="center"))
    assert [rule.name for rule in graph.find("stem").rules_for("kernel")] == ["sum", "center"]
    graph = bench("flat").edited(ChangeInput(shape=(16, 16, 1)), SetRule(weight="stem/kernel", rule="mean"))
    assert [rule.name for rule in graph.find("stem").rules_for("kernel")] == ["mean"]


def test_that_weights_inside_nested_models_are_found(bench: Any) -> None:
    built = bench("nested").built(SetRule(weight="backbone/stem/kernel", rule="initialize"))
    assert built.fates["backbone/stem/kernel"] == "initialize"
    values = np.asarray(built.model.get_layer("backbone").get_layer("stem").kernel)
    assert np.abs(values).max() <= np.sqrt(6 / (3 * 3 * 3 + 3 * 3 * 8))


def test_that_a_rules_fields_may_stand_beside_it_in_json() -> None:
    text = '{"edits": [{"do": "set_rule", "weight": "dense/kernel", "rule": "initialize", "seed": 1}]}'
    assert from_json(text).edits == (SetRule(weight="dense/kernel", rule=Initialize(seed=1)),)
    text = '{"edits": [{"do": "set_rule", "weight": "dense/kernel", "rule": "center", "seed": 1}]}'
    with pytest.raises(RecipeError, match="Edit 1"):
        from_json(text)


@pytest.mark.parametrize(
    ("weight", "rule", "words"),
    [("stemm/kernel", "sum", "no layer"), ("stem/kernal", "sum", "has no weight"), ("stem/kernel", "sun", "'sum'")],
)
def test_that_what_is_not_there_is_refused(bench: Any, weight: Any, rule: Any, words: Any) -> None:
    with pytest.raises(EditError, match=words):
        bench("flat").edited(SetRule(weight=weight, rule=rule))


def classifier(kind: str, folder: Path) -> Path:
    """A map, flattened, and a Dense of three classes: flat, behind a nested model, or by Keras 2."""
    path = folder / ("old.h5" if kind == "keras 2" else "model.keras")
    if kind == "keras 2":
        program = (
            "import sys, tf_keras as k\n"
            "s = k.Input((6, 6, 2)); x = k.layers.Flatten()(k.layers.Conv2D(2, 3, name='conv')(s))\n"
            "k.Model(s, k.layers.Dense(3, name='classes')(x)).save(sys.argv[1])\n"
        )
        subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, timeout=300)
        return path
    start = keras.Input((6, 6, 2))
    conv = layers.Conv2D(2, 3, name="conv")
    inner = keras.Input((6, 6, 2))
    x = keras.Model(inner, conv(inner), name="body")(start) if kind == "nested" else conv(start)
    keras.Model(start, layers.Dense(3, name="classes")(layers.Flatten()(x))).save(path)
    return path


@pytest.mark.parametrize("kind", ["flat", "nested", "keras 2"])
def test_that_a_weight_that_starts_anew_still_does_when_a_later_step_changes_its_shape(
    kind: str, tmp_path: Path
) -> None:
    """Rows of the source cannot be kept of an array that the recipe drops."""
    source = classifier(kind, tmp_path)
    anew = {"do": "set_rule", "weight": "classes/kernel", "rule": "initialize"}
    fewer = {"do": "change_classes", "old_classes": 3, "classes": 2, "keep": [2, 0]}
    for size in (6, 8):
        size_step = {"do": "change_input", "shape": [size, size, 2]}
        found = plan(source, anew, fewer, *([size_step] if size != 6 else []))
        assert errors(found) == []
        assert {one.weight: one.fate for one in found.fates}["classes/kernel"] == "initialized"
        assert not [one for one in found.contracts if one.name.startswith("kept classes")]
    written, model = applied(source, tmp_path / "out.keras", anew, fewer)
    assert_verified(written.verification)
    old = opened_by_keras(source)
    kernel = np.asarray(model.get_layer("classes").kernel)
    assert kernel.shape == (32, 2)
    assert not any(np.allclose(column, other) for column in kernel.T for other in old.T)


def opened_by_keras(source: Path) -> Any:
    """The classifier's kernel in the file."""
    if source.suffix == ".h5":
        with h5py.File(source) as file:
            return np.asarray(file["model_weights/classes/classes/kernel:0"])
    return np.asarray(keras.saving.load_model(source, compile=False).get_layer("classes").kernel)


def test_that_a_later_rule_takes_a_new_start_back(bench: Any) -> None:
    start = SetRule(weight="stem/kernel", rule="initialize")
    graph = bench("flat").edited(ChangeInput(shape=(16, 16, 1)), start, SetRule(weight="stem/kernel", rule="mean"))
    assert [rule.name for rule in graph.find("stem").rules_for("kernel")] == ["mean"]
