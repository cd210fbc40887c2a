"""Which adapters can work for which inputs."""

from typing import Any

import keras
import pytest

from core.edits.insert_adapter import possible_fits
from tests.core.edits.bench import Bench

L = keras.layers


def model_of(shape: Any, *layers: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize(
    ("model", "fits"),
    [
        (model_of((8, 8, 3), L.Conv2D(2, 3)), ("resize", "letterbox", "pad", "crop", "project", "repeat")),
        (model_of((8, 8, 1), L.Conv2D(2, 3)), ("resize", "letterbox", "pad", "crop", "project")),
        (model_of((None, None, 3), L.Conv2D(2, 3)), ("pad", "project", "repeat")),
        (model_of((8, 4), L.Conv1D(2, 3)), ("pad", "crop", "project", "repeat")),
        (model_of((8, 8, 8, 2), L.Conv3D(2, 3)), ("pad", "crop", "project", "repeat")),
        (model_of((8, 4), L.LSTM(2)), ("pad", "crop", "project", "repeat")),
        (model_of((6,), L.Embedding(9, 4)), ()),
        (model_of((5,), L.Dense(2)), ()),
    ],
)
def test_that_only_what_can_work_is_offered(model: Any, fits: tuple[str, ...]) -> None:
    assert possible_fits(Bench(model, seed=None).graph, None) == fits
