"""Classes that the person's code registered, put into a model by a recipe."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.errors import RecipeError
from tests.core.engine.drive import engine, recipe
from tests.helpers.own_classes import filled

CODE = """
import keras

@keras.saving.register_keras_serializable("mine")
class Rectified(keras.layers.Dense):
    def call(self, x):
        return keras.ops.relu(super().call(x))

class Halved(keras.layers.Layer):
    def call(self, x):
        return x / 2.0

class Odd(keras.layers.Dense):
    def build(self, shape):
        self.first = self.add_weight(shape=(shape[-1], self.units), name="first", initializer="ones")
        super().build(shape)
"""
ENTRIES: list[dict[str, Any]] = [
    {"class_name": "Rectified", "config": {"units": 4}},
    {"class_name": "mine>Rectified", "config": {"units": 4}},
    {"module": None, "class_name": "Rectified", "registered_name": "mine>Rectified", "config": {"units": 4}},
]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Engine, Any]]:
    known = keras.saving.get_custom_objects()
    before = dict(known)
    start = keras.Input((4,))
    inside = keras.Input((4,))
    deep = keras.Model(inside, keras.layers.Dense(4, name="deep")(inside), name="model")
    x = keras.layers.Dense(4, name="one")(start)
    model = filled(keras.Model(start, keras.layers.Dense(2, name="last")(deep(x))))
    model.save(tmp_path / "m.keras")
    (tmp_path / "code.py").write_text(CODE)
    engine().set_source(read_model(tmp_path / "m.keras"), [str(tmp_path / "code.py")])
    yield engine(), model
    known.clear()
    known.update(before)


def relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


@pytest.mark.parametrize("layer", ["one", "model/deep"])
@pytest.mark.parametrize("entry", ENTRIES, ids=["bare", "registered", "both"])
def test_that_a_registered_class_replaces_a_layer_and_keeps_its_arrays(
    entry: dict[str, Any], layer: str, opened: tuple[Engine, Any], tmp_path: Path
) -> None:
    tool, model = opened
    written = tool.apply(
        recipe({"do": "replace_layer", "layer": layer, "config": entry, "carry": "name"}), tmp_path / "out.keras"
    )
    assert {fate.fate for fate in written.plan.fates} == {"copied"}
    assert written.verification is not None
    assert written.verification.ok
    numbers = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    one, deep = model.get_layer("one"), model.get_layer("model").get_layer("deep")
    x = np.asarray(one(numbers))
    x = np.asarray(deep(relu(x) if layer == "one" else x))
    wanted = np.asarray(model.get_layer("last")(x if layer == "one" else relu(x)))
    got = keras.saving.load_model(written.written, compile=False)(numbers)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=0, atol=1e-5)


def test_that_classes_are_inserted_by_name_alone_or_inside_a_wrapper(
    opened: tuple[Engine, Any], tmp_path: Path
) -> None:
    tool, model = opened
    edits = [{"do": "insert_layer", "layer": "model/deep", "config": {"class_name": "Halved"}}]
    written = tool.apply(recipe(*edits), tmp_path / "out.keras")
    numbers = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    wanted = model.get_layer("last")(model.get_layer("model")(model.get_layer("one")(numbers)) / 2.0)
    got = keras.saving.load_model(written.written, compile=False)(numbers)
    np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), rtol=0, atol=1e-5)


def test_that_a_class_with_more_arrays_takes_none_by_its_number(opened: tuple[Engine, Any]) -> None:
    tool, _ = opened
    config = {"class_name": "Odd", "config": {"units": 4}}
    fates = {
        fate.weight: fate
        for fate in tool.plan(recipe({"do": "replace_layer", "layer": "one", "config": config, "carry": "name"})).fates
    }
    assert fates["one/kernel"].source == "one/kernel"
    assert fates["one/bias"].source == "one/bias"


def test_that_a_class_nobody_defined_is_refused(opened: tuple[Engine, Any]) -> None:
    tool, _ = opened
    with pytest.raises(RecipeError, match="whose code is not available"):
        tool.plan(recipe({"do": "insert_layer", "layer": "one", "config": {"class_name": "Nowhere"}}))
