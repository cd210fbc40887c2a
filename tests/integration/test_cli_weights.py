"""`suture weights`: arrays of files and of results, compared with what Keras itself loads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.writers.test_array_files import read_safetensors

Run = Callable[..., tuple[int, str, str]]


def by_path(model: Any, inside: str = "") -> dict[str, Any]:
    """Every weight of a Keras model as `layer path/weight name`."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        path = f"{inside}{layer.name}"
        if hasattr(layer, "layers"):
            found |= by_path(layer, f"{path}/")
        else:
            found |= {f"{path}/{weight.name}": np.asarray(weight) for weight in layer.weights}
    return found


def assert_same(found: Any, wanted: dict[str, Any]) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(np.asarray(found[name]), array)


@pytest.mark.parametrize("name", ["digits_residual", "digits_vgg", "digits_nested"])
def test_that_all_arrays_of_a_file_are_those_keras_loads(cli: Run, samples: Path, tmp_path: Path, name: str) -> None:
    import keras

    wanted = by_path(keras.saving.load_model(samples / f"{name}.keras"))
    for ending in (".npz", ".safetensors"):
        out = tmp_path / f"all{ending}"
        code, said, _ = cli("weights", samples / f"{name}.keras", "-o", out)
        assert code == 0, said
        assert f"wrote {len(wanted)} arrays" in said
        assert_same(np.load(out) if ending == ".npz" else read_safetensors(out), wanted)


def test_that_a_file_of_keras_2_gives_its_arrays_under_the_same_names(cli: Run, tmp_path: Path) -> None:
    import tf_keras

    model = tf_keras.Sequential(
        [tf_keras.layers.Conv2D(4, 3, input_shape=(8, 8, 3), name="conv"), tf_keras.layers.Flatten(),
         tf_keras.layers.Dense(2, name="head")]
    )  # fmt: skip
    model.save(tmp_path / "old.h5")
    assert cli("weights", tmp_path / "old.h5", "-o", tmp_path / "all.npz")[0] == 0
    wanted = {
        f"{layer.name}/{weight.name.rpartition('/')[2].partition(':')[0]}": np.asarray(weight)
        for layer in model.layers
        for weight in layer.weights
    }
    assert_same(np.load(tmp_path / "all.npz"), wanted)


def test_that_a_recipe_gives_the_arrays_of_its_result(
    cli: Run, samples: Path, tmp_path: Path, recipe: Callable[..., Path]
) -> None:
    import keras

    steps = recipe({"do": "change_input", "shape": [32, 32, 1], "channels": "sum"})
    source, out = samples / "digits_nested.keras", tmp_path / "gray.keras"
    assert cli("apply", source, steps, "-o", out, "--no-verify")[0] == 0
    assert cli("weights", source, steps, "-o", tmp_path / "gray.safetensors")[0] == 0
    wanted = by_path(keras.saving.load_model(out))
    assert wanted["backbone/conv1/kernel"].shape == (3, 3, 1, 16)
    assert_same(read_safetensors(tmp_path / "gray.safetensors"), wanted)


def test_that_quantized_and_half_size_numbers_are_saved_as_they_are_stored(cli: Run, tmp_path: Path) -> None:
    import keras
    import ml_dtypes

    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, name="packed"), keras.layers.Dense(3, name="d")])
    model.layers[0].quantize("int8")
    half = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, name="half", dtype="bfloat16")])
    for name, one in (("int8", model), ("half", half)):
        one.save(tmp_path / f"{name}.keras")
        assert cli("weights", tmp_path / f"{name}.keras", "-o", tmp_path / f"{name}.safetensors")[0] == 0
    packed = read_safetensors(tmp_path / "int8.safetensors")
    assert packed["packed/kernel"].dtype == np.int8
    np.testing.assert_array_equal(packed["packed/kernel"], np.asarray(model.layers[0]._kernel))
    kernel = read_safetensors(tmp_path / "half.safetensors")["half/kernel"]
    assert kernel.dtype == ml_dtypes.bfloat16
    assert kernel.tobytes() == np.asarray(half.layers[0].kernel).tobytes()


def test_that_the_list_says_what_is_unusual_in_the_values(cli: Run, tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(10, name="dense")])
    kernel = np.ones((10, 10), np.float32)
    kernel.flat[:12] = 0
    kernel.flat[12:15] = np.nan
    kernel.flat[15] = np.inf
    model.layers[0].set_weights([kernel, np.zeros(10, np.float32)])
    model.save(tmp_path / "m.keras")
    code, said, err = cli("weights", tmp_path / "m.keras", "--values", "--json")
    assert (code, err) == (0, "")
    one, other = json.loads(said)
    assert (one["name"], one["shape"], one["dtype"]) == ("dense/kernel", [10, 10], "float32")
    assert (one["values"]["zeros"], one["values"]["nan"], one["values"]["infinite"]) == (12, 3, 1)
    assert other["values"]["zeros"] == 10
    said = cli("weights", tmp_path / "m.keras", "--values")[1]
    assert "12 % zeros, 3 NaN, 1 infinite" in said
    assert "100 % zeros" in said


def test_that_the_source_and_impossible_wishes_are_refused(
    cli: Run, samples: Path, tmp_path: Path, recipe: Callable[..., Path]
) -> None:
    source = samples / "digits_vgg.keras"
    too_small = recipe({"do": "change_input", "shape": [64, 64, 3]})
    for arguments, words, wanted in (
        (("weights", source, "--layer", "block1_conv9", "-o", tmp_path / "a.npz"), "did you mean", 2),
        (("weights", source, "-o", tmp_path / "a.npy"), "holds one", 2),
        (("weights", source, "-o", tmp_path / "none" / "a.npz"), "does not exist", 2),
        (("weights", source, too_small, "-o", tmp_path / "a.npz"), "Nothing was written", 1),
    ):
        code, said, err = cli(*arguments)
        assert (code, said) == (wanted, "")
        assert words in err
    assert not list(tmp_path.glob("a.*"))
