"""Files that nothing could load are not written, and files that lost arrays are not read as if they had not."""

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from core.analysis.opening import read_model
from core.errors import FileError
from tests.core.engine.drive import engine, recipe
from tests.helpers.own_classes import filled


def saved_weights(kind: str, folder: Path) -> Path:
    k = keras if kind == "keras3" else tf_keras
    start = k.Input((2,))
    model = k.Model(start, k.layers.Dense(3, name="d")(start))
    path = folder / {"keras3": "a.weights.h5", "hdf5": "a.h5", "checkpoint": "a/point"}[kind]
    model.save_weights(str(path))
    return path


@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".keras"])
@pytest.mark.parametrize("kind", ["keras3", "hdf5", "checkpoint"])
def test_that_weights_without_an_architecture_become_no_model(kind: str, ending: str, tmp_path: Path) -> None:
    engine().set_source(read_model(saved_weights(kind, tmp_path)))
    with pytest.raises(FileError, match="contains weights without an architecture"):
        engine().apply(recipe(), tmp_path / f"out{ending}", check=False)
    assert not list(tmp_path.glob("out*"))


class Turned(tf_keras.layers.LSTM):
    """A class whose code is not there when its file is opened."""


def paired(kind: str, folder: Path, nested: bool) -> tuple[Path, Path]:
    start = x = tf_keras.Input((5, 3))
    if nested:
        inside = tf_keras.Input((5, 3))
        x = tf_keras.Model(inside, Turned(2, name="back")(inside), name="inside")(x)
    else:
        x = Turned(2, name="back")(x)
    model = filled(tf_keras.Model(start, x))
    (folder / "m.json").write_text(model.to_json())
    path = folder / ("w.h5" if kind == "hdf5" else "w/point")
    model.save_weights(str(path))
    return folder / "m.json", path


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_that_arrays_of_unknown_classes_stay_in_the_format_of_their_file(nested: bool, tmp_path: Path) -> None:
    engine().set_source(read_model(*paired("hdf5", tmp_path, nested)))
    with pytest.raises(FileError, match=r"write an \.h5 file, or name the Python file that defines it"):
        engine().apply(recipe(), tmp_path / "out.keras", check=False)
    engine().apply(recipe(), tmp_path / "out.h5", check=False)
    with h5py.File(tmp_path / "w.h5") as old, h5py.File(tmp_path / "out.h5") as new:
        arrays: list[list[Any]] = [[], []]
        for found, file in zip(arrays, (old, new["model_weights"]), strict=True):
            file.visititems(lambda _, one, to=found: to.append(one[()]) if isinstance(one, h5py.Dataset) else None)
    assert len(arrays[0]) == len(arrays[1]) == 3
    for one in arrays[0]:
        assert any(one.shape == other.shape and np.array_equal(one, other) for other in arrays[1])


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_that_arrays_of_unknown_classes_out_of_a_checkpoint_are_refused(ending: str, tmp_path: Path) -> None:
    engine().set_source(read_model(*paired("checkpoint", tmp_path, False)))
    with pytest.raises(FileError, match="come from a checkpoint"):
        engine().apply(recipe(), tmp_path / f"out{ending}", check=False)


@pytest.mark.parametrize("version", ["3.0.5", "3.1.1"])
@pytest.mark.parametrize("present", [("kernel", "bias"), ("kernel", "bias", "gamma", "beta", "moving_mean")])
def test_that_a_file_whose_writer_lost_arrays_says_which(
    version: str, present: tuple[str, ...], tmp_path: Path
) -> None:
    start = keras.Input((4,), name="x")
    inside = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(4)], name="s")
    config = json.loads(keras.Model(start, inside(start)).to_json())
    path = tmp_path / "lost.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["model_config"] = version, json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"], group.attrs["keras_version"] = [b"x", b"s"], version
        group.create_group("x").attrs["weight_names"] = np.array([], "S1")
        layer = group.create_group("s")
        layer.attrs["weight_names"] = [name.encode() for name in (*present, *present)]
        for name in present:
            layer[name] = np.ones((4, 4) if name == "kernel" else (4,), "float32")
    with pytest.raises(FileError) as refused:
        read_model(path)
    assert f"only {len(present)} of the {2 * len(present)} arrays of s" in refused.value.message
    assert all(word in refused.value.message for word in (version, *present, "save it again from there as .keras"))
