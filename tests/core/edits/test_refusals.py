"""Edits that make no sense are refused at once, in a sentence."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.edits import ChangeInput, InsertAdapter, ReplaceFirstConv, ReplaceLayer
from core.edits.attach_head import AttachHead
from core.edits.transfer_weights import TransferWeights
from core.errors import FileError, RecipeError
from tests.core.engine.drive import applied, assert_verified, errors, plan, saved
from tests.core.engine.small_models import chained

layers = keras.layers


def test_that_one_channel_is_not_repeated_to_one(tmp_path: Path) -> None:
    source = chained(tmp_path, (8, 8, 1), layers.Conv2D(4, 3))
    with pytest.raises(RecipeError, match="takes one channel already"):
        plan(source, InsertAdapter(shape=(8, 8, 1), fit="repeat"))


def test_that_a_merge_does_not_become_a_layer_of_one_tensor(tmp_path: Path) -> None:
    keras.backend.clear_session()
    given = keras.Input((8, 8, 4))
    merged = layers.Add(name="add")([given, layers.Conv2D(4, 3, padding="same")(given)])
    source = saved(keras.Model(given, merged), tmp_path)
    with pytest.raises(RecipeError, match="add takes several tensors; a ReLU takes one"):
        plan(source, ReplaceLayer(layer="add", config={"class_name": "ReLU", "config": {}}))
    assert errors(plan(source, ReplaceLayer(layer="add", config={"class_name": "Average", "config": {}}))) == []


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (ChangeInput(shape=(9, 9, 10**9)), "too many to map"),
        (ReplaceFirstConv(filters=10**9, filters_rule="widen"), "filters must be at most 65536"),
        (ReplaceFirstConv(kernel_size=10**9), "kernel_size must be at most 65536"),
        (AttachHead(classes=10**9), "classes and hidden must be at most"),
    ],
)
def test_that_numbers_which_no_machine_holds_are_refused_at_once(edit: Any, sentence: str, tmp_path: Path) -> None:
    source = chained(tmp_path, (9, 9, 3), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2))
    with pytest.raises(RecipeError, match=sentence):
        plan(source, edit)


def test_that_a_file_without_an_order_of_layers_is_not_matched_by_order(tmp_path: Path) -> None:
    source = chained(tmp_path, (9, 9, 3), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2))
    model = keras.saving.load_model(source)
    for weight in model.weights:
        weight.assign(weight + 1.0)
    other = tmp_path / "other.weights.h5"
    model.save_weights(other)
    with pytest.raises(RecipeError, match="does not store the order of its layers; match by name or by shape"):
        plan(source, TransferWeights(file=str(other), match="order"))
    written, taken = applied(source, tmp_path / "out.keras", TransferWeights(file=str(other), match="name"))
    assert_verified(written.verification)
    for mine, theirs in zip(taken.weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_that_a_file_of_weights_alone_is_no_model_to_write(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(FileError, match="weights without an architecture"):
        applied(tmp_path / "only.weights.h5", tmp_path / "out.keras")
