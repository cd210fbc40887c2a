"""BatchNormalization put in and taken out: nothing changes, or it is said by how much."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.model.plan import Plan
from core.recipes import gestures
from tests.core.engine.drive import applied, plan, recipe, saved
from tests.core.engine.small_models import fill
from tests.helpers.contracts import kind as contract_kind

L = keras.layers


def model_of(nested: bool, shared: bool = False) -> Any:
    start = keras.Input((8, 8, 3), name="image")
    inside = keras.Input((8, 8, 3)) if nested else start
    x = L.Conv2D(4, 3, use_bias=False, name="conv")(inside)
    x = L.ReLU(name="act")(L.BatchNormalization(name="bn")(x))
    if nested:
        body = keras.Model(inside, x, name="body")
        x = L.Add(name="sum")([body(start), body(start)]) if shared else body(start)
    model = keras.Model(start, L.Dense(2, name="out")(L.GlobalAveragePooling2D()(x)))
    fill(model)
    return model


def keras2(path: Path) -> Any:
    import tf_keras as tk

    start = tk.Input((8, 8, 3), name="image")
    x = tk.layers.BatchNormalization(name="bn")(tk.layers.Conv2D(4, 3, name="conv")(start))
    model = tk.Model(start, tk.layers.Dense(2, name="out")(tk.layers.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(5)
    for weight in model.weights:
        weight.assign(np.abs(rng.normal(size=weight.shape)) + 0.2)
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(path)
    return model


def images() -> Any:
    return np.random.default_rng(2).normal(size=(2, 8, 8, 3)).astype("float32")


def off(new: Any, old: Any) -> float:
    one, other = np.asarray(new), np.asarray(old)
    return float(np.abs(one - other).max() / np.abs(other).max())


def lossy(found: Plan) -> list[Any]:
    return [one for one in found.findings if one.code == "adapt.lossy"]


KINDS: list[dict[str, Any]] = [{}, {"epsilon": 0.1}, {"scale": False}, {"center": False, "momentum": 0.9}]


@pytest.mark.parametrize("config", KINDS)
@pytest.mark.parametrize(("nested", "shared"), [(False, False), (True, False), (True, True)])
def test_that_a_new_normalization_changes_nothing(config: Any, nested: bool, shared: bool, tmp_path: Path) -> None:
    model = model_of(nested, shared)
    edit = {
        "do": "insert_layer",
        "layer": "body/conv" if nested else "conv",
        "config": {"class_name": "BatchNormalization", "config": config},
    }
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", edit)
    assert off(new(images()), model(images())) < 1e-6
    assert [(contract_kind(one), one.exact) for one in written.plan.contracts] == [("same_input", True)]
    assert lossy(written.plan) == []


def test_that_a_normalization_in_a_keras_2_file_changes_nothing(tmp_path: Path) -> None:
    model = keras2(tmp_path / "old.h5")
    edit = {"do": "insert_layer", "layer": "conv", "config": {"class_name": "BatchNormalization", "config": {}}}
    _, new = applied(tmp_path / "old.h5", tmp_path / "out.keras", edit)
    assert off(new(images()), model(images())) < 1e-6


def test_that_a_normalization_which_starts_elsewhere_is_told(tmp_path: Path) -> None:
    config = {"class_name": "BatchNormalization", "config": {"gamma_initializer": "zeros"}}
    found = plan(saved(model_of(False), tmp_path), {"do": "insert_layer", "layer": "conv", "config": config})
    assert [one.severity for one in lossy(found)] == ["warning"]
    assert [contract_kind(one) for one in found.contracts] == ["features"]


def test_that_a_dropout_becomes_a_normalization_that_changes_nothing(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    model = keras.Model(start, L.Dropout(0.2, name="drop")(L.Conv2D(4, 3)(start)))
    fill(model)
    config = {"class_name": "BatchNormalization", "config": {}}
    edit = {"do": "replace_layer", "layer": "drop", "config": config}
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", edit)
    assert off(new(images()), model(images())) < 1e-6
    assert [contract_kind(one) for one in written.plan.contracts] == ["same_input"]


@pytest.mark.parametrize("kind", ["flat", "nested", "keras2"])
def test_that_taking_one_out_says_by_how_much_and_offers_to_fold_it(kind: str, tmp_path: Path) -> None:
    if kind == "keras2":
        model = keras2(tmp_path / "old.h5")
        source = tmp_path / "old.h5"
    else:
        model = model_of(kind == "nested")
        source = saved(model, tmp_path)
    path = "body/bn" if kind == "nested" else "bn"
    edit = {"do": "remove_layer", "layer": path}
    written, new = applied(source, tmp_path / "out.keras", edit)
    assert written.verification is not None
    drift = next(one for one in written.verification.contracts if not one.exact)
    assert drift.drift > 0.01
    assert off(new(images()), model(images())) > 0.01
    (told,) = lossy(written.plan)
    assert (told.severity, told.layer) == ("warning", path)
    taken = gestures.apply_fix(recipe(edit), told.fixes[0].edits)
    assert [gestures.tag(one) for one in taken.edits] == ["fold_batch_norm"]
    _, folded = applied(source, tmp_path / "folded.keras", *taken.edits)
    assert off(folded(images()), model(images())) < 1e-5


def test_that_one_which_cannot_be_folded_is_not_offered_to_be(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    model = keras.Model(start, L.BatchNormalization(name="bn")(L.ReLU()(start)))
    fill(model)
    (told,) = lossy(plan(saved(model, tmp_path), {"do": "remove_layer", "layer": "bn"}))
    assert told.fixes == ()


def test_that_a_normalization_which_learnt_nothing_goes_without_a_word(tmp_path: Path) -> None:
    config = {"class_name": "BatchNormalization", "config": {"name": "new"}}
    source = saved(model_of(False), tmp_path)
    put = {"do": "insert_layer", "layer": "conv", "config": config}
    assert lossy(plan(source, put, {"do": "remove_layer", "layer": "new"})) == []
