"""Wrappers of tfmot that only mark a layer for quantization: taken off, the layers inside compute what they did."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.recipes.recipe import Recipe
from tests.core.readers.rebuild import difference, random_inputs, randomize, rebuild

K = pytest.importorskip("tf_keras")
L = K.layers
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


class QuantizeAnnotate(L.Wrapper):  # type: ignore[name-defined]
    """What `quantize_annotate_layer` puts around a layer: it calls it, and knows how it is to be quantized."""

    def build(self, shape: Any) -> None:
        self.layer.build(shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.layer(inputs)

    def get_config(self) -> Any:
        return {**super().get_config(), "quantize_config": None}


def _flat() -> Any:
    first = QuantizeAnnotate(L.Conv2D(4, 3, activation="relu"), input_shape=(8, 8, 3))
    return K.Sequential([first, QuantizeAnnotate(L.BatchNormalization()), L.Flatten(), QuantizeAnnotate(L.Dense(2))])


def _nested() -> Any:
    x = L.Input((8, 8, 3))
    body = K.Model(x, QuantizeAnnotate(L.Activation("hard_sigmoid"))(QuantizeAnnotate(L.DepthwiseConv2D(3))(x)))
    y = L.Input((8, 8, 3))
    return K.Model(y, QuantizeAnnotate(L.Dense(2))(L.GlobalAveragePooling2D()(body(y))))


def _shared() -> Any:
    left, right = L.Input((5,)), L.Input((5,))
    marked = QuantizeAnnotate(L.Dense(3, "tanh"))
    return K.Model([left, right], L.Concatenate()([marked(left), marked(right)]))


def _recurrent() -> Any:
    x = L.Input((4, 5))
    return K.Model(x, QuantizeAnnotate(L.LSTM(3))(L.TimeDistributed(L.Dense(4))(x)))


@pytest.mark.parametrize("build", [_flat, _nested, _shared, _recurrent])
def test_that_marks_for_quantization_are_taken_off(build: Callable[[], Any], tmp_path: Path) -> None:
    K.backend.clear_session()
    model = build()
    randomize(model)
    inputs = random_inputs(model)
    wanted = model(inputs)
    model.save(tmp_path / "marked.h5")
    source = read_model(tmp_path / "marked.h5")
    assert {one.severity for one in source.findings} == {"info"}
    assert any("Quantization annotations of tfmot" in one.message for one in source.findings)
    assert not any("Quantize" in layer.class_name for _, layer in source.graph.walk())
    assert difference(rebuild(source)(inputs), wanted) < 1e-6


def test_that_a_marked_model_is_written_and_verified(tmp_path: Path) -> None:
    K.backend.clear_session()
    model = _flat()
    randomize(model)
    model.save(tmp_path / "marked.h5")
    engine = Engine()
    engine.set_source(read_model(tmp_path / "marked.h5"))
    written = engine.apply(Recipe(), tmp_path / "new.keras", True)
    assert written.verification is not None
    assert written.verification.ok
    inputs = random_inputs(model)
    assert difference(keras.saving.load_model(tmp_path / "new.keras")(inputs), model(inputs)) < 1e-6
