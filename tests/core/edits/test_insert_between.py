"""A layer between two others: who else takes the output of the first notices nothing. The oracle is built by hand."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.edits import InsertLayer
from core.errors import RecipeError
from tests.core.engine.drive import applied, assert_verified, plan

CONFIG = {"class_name": "Rescaling", "config": {"scale": 0.5, "offset": 1.0}}


def residual(x: Any, name: str, changed: bool) -> Any:
    """Two paths from one tensor; by hand, the convolution's takes a rescaled one."""
    first = layers.Conv2D(4, 3, padding="same", name=f"{name}_first")(x)
    inner = layers.Rescaling(0.5, 1.0)(first) if changed else first
    deep = layers.Conv2D(4, 3, padding="same", name=f"{name}_deep")(inner)
    return layers.Add(name=f"{name}_add")([deep, first])


def flat(changed: bool = False) -> Any:
    inputs = keras.Input((8, 8, 3), name="image")
    return keras.Model(inputs, residual(inputs, "one", changed))


def nested(changed: bool = False) -> Any:
    inner = keras.Input((8, 8, 3), name="inside")
    body = keras.Model(inner, residual(inner, "one", changed), name="body")
    inputs = keras.Input((8, 8, 3), name="image")
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(body(inputs)))


def check(old: Any, by_hand: Any, source: Path, out: Path, edit: InsertLayer) -> None:
    written, new = applied(source, out, edit)
    assert_verified(written.verification)
    by_hand.set_weights([np.asarray(one) for one in old.weights])
    x = np.random.default_rng(4).normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(new(x), by_hand(x), atol=1e-5)
    assert np.abs(np.asarray(new(x)) - np.asarray(old(x))).max() > 1e-3


@pytest.mark.parametrize(("build", "prefix"), [(flat, ""), (nested, "body/")])
def test_that_only_the_chosen_path_gets_the_new_layer(build: Any, prefix: str, tmp_path: Path) -> None:
    old = build()
    old.save(tmp_path / "source.keras")
    edit = InsertLayer(layer=f"{prefix}one_first", before=f"{prefix}one_deep", config=CONFIG)
    check(old, build(True), tmp_path / "source.keras", tmp_path / "out.keras", edit)


def test_that_a_file_of_keras_2_takes_a_layer_between_two_others(tmp_path: Path) -> None:
    import tf_keras

    x = inputs = tf_keras.Input((8, 8, 3), name="image")
    first = tf_keras.layers.Conv2D(4, 3, padding="same", name="one_first")(x)
    deep = tf_keras.layers.Conv2D(4, 3, padding="same", name="one_deep")(first)
    old = tf_keras.Model(inputs, tf_keras.layers.Add(name="one_add")([deep, first]))
    old.save(tmp_path / "old.h5")
    edit = InsertLayer(layer="one_first", before="one_deep", config=CONFIG)
    check(old, flat(True), tmp_path / "old.h5", tmp_path / "out.keras", edit)


def test_that_at_the_only_taker_it_is_the_same_as_behind_the_layer(tmp_path: Path) -> None:
    flat().save(tmp_path / "source.keras")
    between = plan(tmp_path / "source.keras", InsertLayer(layer="one_deep", before="one_add", config=CONFIG))
    behind = plan(tmp_path / "source.keras", InsertLayer(layer="one_deep", config=CONFIG))
    assert between.graph == behind.graph
    assert between.contracts == behind.contracts


@pytest.mark.parametrize("before", ["one_first", "image", "nowhere", "body/one_deep"])
def test_that_layers_that_are_not_connected_have_no_between(before: str, tmp_path: Path) -> None:
    flat().save(tmp_path / "source.keras")
    with pytest.raises(RecipeError, match="does not take the output of one_deep"):
        plan(tmp_path / "source.keras", InsertLayer(layer="one_deep", before=before, config=CONFIG))
