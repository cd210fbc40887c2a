"""What starts anew starts alike, whatever its layer is called: names say nothing of values."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L

from tests.core.engine.drive import applied, assert_verified, drift, outputs, random_input, saved
from tests.core.engine.small_models import fill

HEAD: dict[str, Any] = {"do": "attach_head", "classes": 3, "hidden": [4]}


def flat() -> Any:
    start = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, activation="relu", name="conv")(start)
    return keras.Model(start, L.Dense(2, name="old")(L.GlobalAveragePooling2D()(x)), name="flat")


def nested() -> Any:
    inner = keras.Input((8, 8, 3), name="inside")
    body = keras.Model(inner, L.Conv2D(4, 3, name="conv")(inner), name="body")
    start = keras.Input((8, 8, 3), name="image")
    return keras.Model(start, L.Dense(2, name="old")(L.GlobalAveragePooling2D()(body(start))), name="nested")


def shared() -> Any:
    start = keras.Input((8, 8, 3), name="image")
    twice = L.Conv2D(3, 3, padding="same", name="conv")
    pooled = L.GlobalAveragePooling2D()(L.Add()([twice(start), twice(twice(start))]))
    return keras.Model(start, L.Dense(2, name="old")(pooled), name="shared")


def old_keras(path: Path) -> Path:
    program = (
        "import sys, tf_keras as k\n"
        "s = k.Input((8, 8, 3), name='image')\n"
        "inner = k.Sequential([k.layers.Conv2D(4, 3, name='conv', input_shape=(8, 8, 3))], name='body')\n"
        "x = k.layers.GlobalAveragePooling2D()(inner(s))\n"
        "k.Model(s, k.layers.Dense(2, name='old')(x)).save(sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, timeout=300)
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("first")
    found = {"keras 2": old_keras(folder / "old.h5")}
    for build in (flat, nested, shared):
        keras.backend.clear_session()
        model = build()
        fill(model)
        found[build.__name__] = saved(model, folder, f"{build.__name__}.keras")
    return found


@pytest.mark.parametrize("kind", ["flat", "nested", "shared", "keras 2"])
@pytest.mark.parametrize("names", [("predictions",), ("head_hidden", "predictions"), ("predictions", "conv")])
def test_that_a_new_layer_starts_with_the_values_that_it_would_have_under_its_first_name(
    kind: str, names: tuple[str, ...], sources: dict[str, Path], tmp_path: Path
) -> None:
    """The model with the same head and no other names is the oracle."""
    if names[-1] == "conv" and kind in ("nested", "keras 2"):
        names = (*names[:-1], "body")
    _, plain = applied(sources[kind], tmp_path / "plain.keras", HEAD)
    renames = [{"do": "rename_layer", "layer": name, "name": f"other_{name}"} for name in names]
    written, model = applied(sources[kind], tmp_path / "renamed.keras", HEAD, *renames)
    assert_verified(written.verification)
    given = random_input(plain)
    assert drift(outputs(model, given)[0], outputs(plain, given)[0]) == 0.0
    assert any(contract.name == "new(x) == old(x)" for contract in written.plan.contracts)


@pytest.mark.parametrize("kind", ["flat", "nested", "shared", "keras 2"])
def test_that_a_new_layer_that_is_quantized_starts_alike_too(
    kind: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    int8 = {"do": "set_dtype", "policy": "int8"}
    rename = {"do": "rename_layer", "layer": "predictions", "name": "other"}
    _, plain = applied(sources[kind], tmp_path / "plain.keras", HEAD, int8)
    written, model = applied(sources[kind], tmp_path / "renamed.keras", HEAD, int8, rename)
    assert_verified(written.verification)
    given = random_input(plain)
    assert drift(outputs(model, given)[0], outputs(plain, given)[0]) == 0.0


@pytest.mark.parametrize("policy", ["int8", "int4"])
@pytest.mark.parametrize("kind", ["flat", "nested", "keras 2"])
def test_that_a_new_layer_is_quantized_from_the_floats_that_it_would_start_with(
    kind: str, policy: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    """Keras's own quantize of the model without that step is the oracle."""
    _, plain = applied(sources[kind], tmp_path / "plain.keras", HEAD)
    steps = {"do": "set_dtype", "layers": ["predictions"], "policy": policy}
    _, model = applied(sources[kind], tmp_path / "numbers.keras", HEAD, steps)
    layer = plain.get_layer("predictions")
    layer.quantize(policy)
    for mine, theirs in zip(model.get_layer("predictions").weights, layer.weights, strict=True):
        assert np.array_equal(np.asarray(mine), np.asarray(theirs)), mine.path


def test_that_a_layer_put_into_a_nested_model_starts_alike_when_the_model_is_renamed(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    config = {"class_name": "Dense", "config": {"units": 4, "name": "fresh"}}
    inside = {"do": "insert_layer", "layer": "body/conv", "config": config}
    _, plain = applied(sources["nested"], tmp_path / "plain.keras", inside)
    renamed = {"do": "rename_layer", "layer": "body", "name": "trunk"}
    written, model = applied(sources["nested"], tmp_path / "renamed.keras", inside, renamed)
    assert_verified(written.verification)
    one, two = (np.asarray(m.get_layer(n).get_layer("fresh").kernel) for m, n in ((plain, "body"), (model, "trunk")))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("kind", ["flat", "nested", "shared"])
@pytest.mark.parametrize("whole", [False, True], ids=["flattened", "as one layer"])
def test_that_an_architecture_that_is_joined_starts_as_it_does_by_itself(
    kind: str, whole: bool, sources: dict[str, Path], tmp_path: Path
) -> None:
    """Verification runs it by itself; and a prefix, which is but a name, changes nothing."""
    bare = tmp_path / "bare.json"
    bare.write_text({"flat": flat, "nested": nested, "shared": shared}[kind]().to_json(), encoding="utf-8")
    join = {"do": "join_models", "file": str(bare), "how": "parallel", "shared": True, "nested": whole}
    written, model = applied(sources["flat"], tmp_path / "out.keras", join)
    assert_verified(written.verification)
    _, other = applied(sources["flat"], tmp_path / "other.keras", {**join, "prefix": "second"})
    given = random_input(model)
    assert drift(outputs(model, given)[1], outputs(other, given)[1]) <= 1e-6
