import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.edits import InsertFront, TransferWeights
from core.recipes.recipe import load_recipe
from tests.core.edits.bench import Bench

FOLDER = Path(__file__).parents[3] / "resources" / "recipes"
INDEX = json.loads((FOLDER / "index.json").read_text())
NAMES = [entry["file"] for entry in INDEX]


@cache
def mobilenet() -> Any:
    import keras

    return Bench(keras.applications.MobileNetV2(weights=None, alpha=0.35, classes=12))


def test_that_every_preset_is_in_the_index_with_a_title_and_a_text() -> None:
    assert sorted(NAMES) == sorted(path.name for path in FOLDER.glob("*.json") if path.name != "index.json")
    assert all(entry["title"] and entry["text"] and entry["hint"] for entry in INDEX)


@pytest.mark.parametrize("name", NAMES)
def test_that_every_preset_applies_to_a_fitting_model(name: str) -> None:
    from core.readers.source import Source

    source = mobilenet()
    edits = load_recipe(FOLDER / name).edits
    if any(isinstance(edit, TransferWeights) for edit in edits):
        others = {"weights.weights.h5": Source("weights.weights.h5", "Keras 3 weights", "weights", source.graph)}
        graph = source.edited(*edits, sources=others)
        assert graph.find("Conv1").weights[0].source.file == 1
        return
    built = source.built(*edits)
    shape = [64 if size is None else size for size in built.model.input_shape[1:]]
    result = built(np.zeros((1, *shape), "float32"))
    assert np.isfinite(result).all()
    assert all(edit.summary() for edit in edits)
    if any(isinstance(edit, InsertFront) for edit in edits):
        assert {weight.path.split("/")[0] for weight in built.model.trainable_weights} == {"front_conv"}
