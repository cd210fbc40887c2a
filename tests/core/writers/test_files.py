"""The files themselves: ordinary zip and HDF5, opened by Python's and HDF5's own tools and by Keras."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from core.errors import FileError
from core.recipes.recipe import Recipe
from core.writers import keras_file, steady
from tests.core.engine.drive import applied, assert_verified, opened, outputs, random_input, recipe, saved
from tests.core.engine.small_models import MODELS, build, model_file

CHECKED = ["residual", "nested", "dicts", "half_precision", "frozen_parts", "random_parts"]


def flags(model: Any) -> list[tuple[str, bool]]:
    """What is frozen; Keras's own files do not keep the flag of InputLayers, which means nothing."""
    every = model._flatten_layers(include_self=False)
    return [(type(layer).__name__, layer.trainable) for layer in every if type(layer).__name__ != "InputLayer"]


@pytest.mark.parametrize("name", CHECKED)
def test_that_a_keras_file_is_an_ordinary_zip_with_an_ordinary_hdf5_file_inside(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out.keras"
    opened(model_file(name)).apply(Recipe(), out, check=False)
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}
        assert json.loads(archive.read("metadata.json"))["keras_version"] == keras.__version__
        member = archive.getinfo("model.weights.h5")
        assert member.compress_type == zipfile.ZIP_STORED
        weights = archive.read(member)
    assert weights[:8] == b"\x89HDF\r\n\x1a\n"
    (tmp_path / "alone.h5").write_bytes(weights)
    with h5py.File(tmp_path / "alone.h5") as file:
        assert file.userblock_size == 0
        found: list[str] = []
        file.visit(found.append)
        assert found
    # readers that scan for local headers instead of using the directory see the member too
    assert out.read_bytes()[:4] == b"PK\x03\x04"
    assert io.BytesIO(weights).getbuffer().nbytes == member.file_size


@pytest.mark.parametrize("name", CHECKED)
def test_that_a_keras_file_can_be_rewritten_by_zip_tools(name: str, tmp_path: Path) -> None:
    """Somebody may unpack and pack it again; nothing may depend on where the member lies."""
    model = build(name)
    opened(saved(model, tmp_path)).apply(Recipe(), tmp_path / "out.keras", check=False)
    with (
        zipfile.ZipFile(tmp_path / "out.keras") as before,
        zipfile.ZipFile(tmp_path / "again.keras", "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for info in before.namelist():
            after.writestr(info, before.read(info))
    inputs = random_input(model)
    again = keras.saving.load_model(tmp_path / "again.keras", compile=False)
    for one, other in zip(outputs(again, inputs), outputs(model, inputs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in {"operations"}])
def test_that_an_h5_file_is_the_same_model_to_keras(name: str, tmp_path: Path) -> None:
    model = build(name)
    opened(saved(model, tmp_path)).apply(Recipe(), tmp_path / "out.h5", check=False)
    loaded = keras.saving.load_model(tmp_path / "out.h5", compile=False)
    inputs = random_input(model)
    for one, other in zip(outputs(loaded, inputs), outputs(model, inputs), strict=True):
        np.testing.assert_array_equal(one, other)
    assert flags(loaded) == flags(model)


def test_that_frozen_layers_inside_nested_models_load_from_h5(tmp_path: Path) -> None:
    """Keras stores trainable arrays before the others there: freezing an inner layer moves its arrays."""
    source = model_file("nested")
    edits = {"do": "set_trainable", "layers": ["block/block_conv", "tail/*"], "trainable": False}
    written = opened(source).apply(recipe(edits), tmp_path / "out.h5")
    assert_verified(written.verification)
    loaded = keras.saving.load_model(tmp_path / "out.h5", compile=False)
    assert not loaded.get_layer("block").get_layer("block_conv").trainable
    assert loaded.get_layer("block").get_layer("block_norm").trainable


@pytest.mark.parametrize("name", ["residual", "texts", "frames", "frozen_parts"])
def test_that_a_weights_file_loads_into_the_model_that_keras_built(name: str, tmp_path: Path) -> None:
    model = build(name)
    opened(saved(model, tmp_path)).apply(Recipe(), tmp_path / "out.weights.h5", check=False)
    other = build(name, seed=77)
    other.load_weights(tmp_path / "out.weights.h5")
    for one, two in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_that_a_model_with_names_beyond_hdf5s_header_limit_is_written_to_h5(tmp_path: Path) -> None:
    """HDF5 allows 64 KB of attributes per object; Keras spreads longer lists of names over several."""
    x = start = keras.Input((2,))
    for number in range(250):
        x = keras.layers.Dense(2, use_bias=False, name=f"{'long' * 80}_{number}")(x)
    model = keras.Model(start, x)
    opened(saved(model, tmp_path)).apply(Recipe(), tmp_path / "out.h5", check=False)
    loaded = keras.saving.load_model(tmp_path / "out.h5", compile=False)
    for one, two in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_that_verification_finds_a_wrong_array(tmp_path: Path) -> None:
    """A judge that always agrees is worth nothing: one number changed in the written file must be noticed."""
    out = tmp_path / "out.weights.h5"
    source = model_file("residual")
    written, _ = applied(source, tmp_path / "out.keras")
    assert_verified(written.verification)
    opened(source).apply(Recipe(), out, check=False)
    with h5py.File(out, "r+") as file:
        file["layers/conv2d/vars/0"][0, 0, 0, 0] += 1e-3
    found = opened(source).verify(Recipe(), out)
    assert found.reloaded
    assert not found.copied_equal
    assert "conv2d/kernel" in found.message


def test_that_a_superblock_of_another_version_is_not_patched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = steady.new_hdf5
    monkeypatch.setattr(keras_file, "new_hdf5", lambda path, **fields: real(path, **{**fields, "libver": "latest"}))
    out = tmp_path / "model.keras"
    with pytest.raises((OSError, FileError), match="superblock of version"):
        keras_file.write_keras(out, {}, {}, [], [])
    assert list(tmp_path.iterdir()) == []
