"""Stacked recurrent cells behind an input that changes: the first cell's kernel follows, the others stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.edits import ChangeInput
from core.engine.api import Engine
from core.recipes.recipe import Recipe
from core.rules import MapChannels
from tests.core.readers.rebuild import difference, randomize

tf_keras = pytest.importorskip("tf_keras")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


def _stack(k: Any) -> Any:
    layers = k.layers
    return layers.RNN(layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(3), layers.LSTMCell(4)]))


def _flat(k: Any) -> Any:
    x = k.Input((5, 4))
    return k.Model(x, k.layers.Dense(2)(_stack(k)(x)))


def _nested(k: Any) -> Any:
    x, y = k.Input((5, 4)), k.Input((5, 4))
    return k.Model(y, k.layers.Dense(2)(k.Model(x, _stack(k)(x))(y)))


def _both_ways(k: Any) -> Any:
    x = k.Input((5, 4))
    return k.Model(x, k.layers.Bidirectional(_stack(k))(x))


CHANGES: dict[str, tuple[Any, int, Callable[[Any], Any]]] = {
    "zero_extra": ("zero_extra", 6, lambda x: x[..., :4]),
    "sum": ("sum", 1, lambda x: np.repeat(x, 4, axis=-1)),
    "turned round": (MapChannels(take=(3, 2, 1, 0)), 4, lambda x: x[..., ::-1]),
}


CASES = [
    (tf_keras, _flat, "turned round"),
    (tf_keras, _nested, "zero_extra"),
    (keras, _flat, "sum"),
    (keras, _nested, "turned round"),
    (keras, _both_ways, "turned round"),
]


@pytest.mark.parametrize(("k", "build", "change"), CASES)
def test_that_only_the_first_cell_follows_the_channels(
    k: Any, build: Callable[[Any], Any], change: str, tmp_path: Path
) -> None:
    rule, channels, as_before = CHANGES[change]
    model = build(k)
    if k is tf_keras:
        randomize(model)
    source = tmp_path / ("old.h5" if k is tf_keras else "old.keras")
    model.save(source)
    engine = Engine()
    engine.set_source(read_model(source))
    recipe = Recipe(edits=(ChangeInput(shape=(5, channels), channels=rule),))
    written = engine.apply(recipe, tmp_path / "new.keras", True)
    assert written.verification is not None
    assert written.verification.ok, written.verification.message
    inputs = np.random.default_rng(0).standard_normal((2, 5, channels)).astype("float32")
    wanted = model(np.ascontiguousarray(as_before(inputs)))
    assert difference(keras.saving.load_model(tmp_path / "new.keras")(inputs), wanted) < 1e-5
