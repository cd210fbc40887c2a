"""Rules compared at another size or with other channels: what the old model gets, and what cannot be compared."""

from math import isfinite
from pathlib import Path

import keras
import numpy as np
import pytest

from core.edits import ChangeInput
from core.engine.compare import _as_old
from core.model.graph import Graph, Layer
from core.surgery.inputs import old_input_words
from tests.core.engine.drive import opened, recipe, saved
from tests.helpers.own_classes import filled


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that gives a map as large as its image."""
    start = keras.Input((8, 8, 3), name="image")
    model = keras.Model(start, keras.layers.Conv2D(2, 3, padding="same", name="conv")(start))
    return saved(filled(model, 1), tmp_path_factory.mktemp("maps"))


def test_that_outputs_of_another_shape_are_told_apart_from_outputs_that_are_not_finite(maps: Path) -> None:
    engine = opened(maps)
    other_size = engine.compare(recipe(ChangeInput(shape=(16, 16, 1))), 1, None)
    assert other_size
    assert not any(one.alike or isfinite(one.drift) for one in other_size)
    other_channels = engine.compare(recipe(ChangeInput(shape=(8, 8, 1))), 1, None)
    assert other_channels
    assert all(one.alike and isfinite(one.drift) for one in other_channels)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ((None, 8, 8, 3), (None, 8, 8, 3), ""),
        ((None, None, None, 3), (None, 8, 8, 3), ""),
        ((None, 5), (None, 7), ""),
        ((None, 8, 8, 3), (None, 8, 8, 1), "its channel repeated to make 3"),
        ((None, 8, 8, 4), (None, 8, 8, 2), "its 2 channels repeated to make 4"),
        ((None, 8, 8, 1), (None, 8, 8, 3), "its 3 channels averaged to one"),
        ((None, 8, 8, 2), (None, 8, 8, 4), "its 4 channels averaged in turn to 2"),
        ((None, 8, 8, 3), (None, 16, 4, 3), "resized from 16\u00d74 to 8\u00d78 (bilinear, antialiased)"),
        ((None, 8, 3), (None, 12, 3), "resized from 12 to 8 (nearest values)"),
    ],
)
def test_that_what_the_old_model_gets_is_said_wherever_it_differs(
    old: tuple[int | None, ...], new: tuple[int | None, ...], words: str
) -> None:
    said = old_input_words("x", old, new)
    assert said == (f"The old model gets the same input 'x', {words}." if words else "")
    if None in old[1:] or len(old) < 3:
        return
    graph = _graph(old)
    given = np.random.default_rng(0).random((2, *(size or 1 for size in new[1:])), dtype=np.float32)
    assert (_as_old(given, graph, "x") is given) == (not words)
    assert _as_old(given, graph, "x").shape == (2, *old[1:])


def _graph(shape: tuple[int | None, ...]) -> Graph:
    layer = Layer(name="x", class_name="InputLayer", config={"batch_shape": list(shape)})
    return Graph(name="m", class_name="Functional", layers=(layer,))
