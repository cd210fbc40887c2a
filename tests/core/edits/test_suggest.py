from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ChangeInput
from core.errors import RecipeError
from core.surgery.grids import position_grids
from core.surgery.suggest import flattened_map
from tests.core.edits import zoo
from tests.core.edits.bench import Bench
from tests.core.engine.drive import applied, assert_verified, plan, saved

LARGER = {"do": "change_input", "shape": [20, 20, 3]}


@pytest.mark.parametrize("rule", ["spatial_resize", "spatial_mean"])
@pytest.mark.parametrize("nested", [False, True])
def test_that_a_rule_after_flatten_reads_the_maps_off_the_model(rule: str, nested: bool, tmp_path: Path) -> None:
    model = zoo.sequential()
    path = "hidden/kernel"
    if nested:
        model = keras.Sequential([keras.Input((16, 16, 3), name="outer"), model])
        path = "sequential/hidden/kernel"
    edit = {"do": "set_rule", "weight": path, "rule": rule}
    written, new = applied(saved(model, tmp_path), tmp_path / "new.keras", LARGER, edit)
    assert_verified(written.verification)
    if rule == "spatial_mean":  # exact where the map is the same everywhere; its border is not, so weights are compared
        old = np.asarray(_layer(model, "hidden").kernel).reshape(5, 5, -1, 10)
        fresh = np.asarray(_layer(new, "hidden").kernel).reshape(7, 7, -1, 10)
        np.testing.assert_allclose(fresh.sum((0, 1)), old.sum((0, 1)), atol=1e-5)


def _layer(model: Any, name: str) -> Any:
    return next(layer for layer in model._flatten_layers() if layer.name == name)


def test_that_a_map_which_the_model_does_not_show_has_to_be_given(tmp_path: Path) -> None:
    inputs = keras.Input((12,))
    model = keras.Model(inputs, keras.layers.Dense(3, name="first")(inputs))
    with pytest.raises(RecipeError, match=r"edit 1 \(set_rule\): spatial_resize needs the size of the map before"):
        plan(saved(model, tmp_path), {"do": "set_rule", "weight": "first/kernel", "rule": "spatial_resize"})


def test_that_the_map_before_a_nested_flatten_is_found() -> None:
    source = Bench(keras.Sequential([keras.Input((16, 16, 3), name="outer"), zoo.sequential()]))
    found = flattened_map(source.graph, "sequential/hidden")
    assert found is not None
    assert found[1:] == ((5, 5, 8), "channels_last")


@pytest.mark.parametrize("prefix", [0, 1])
def test_that_the_grid_of_position_embeddings_is_read_off_the_patches(prefix: Any) -> None:
    inputs = keras.Input((32, 24, 3))
    patches = keras.layers.Conv2D(6, 8, strides=8, name="patch")(inputs)
    source = Bench(keras.Model(inputs, keras.layers.Reshape((-1, 6), name="tokens")(patches)))
    after = source.edited(ChangeInput(shape=(48, 48, 3)))
    assert position_grids(source.graph, after, 12 + prefix, 36 + prefix) == [((4, 3), (6, 6), prefix)]
    assert position_grids(source.graph, after, 12 + prefix) == [((4, 3), (6, 6), prefix)]
