"""What files cannot keep or cannot load: layers shared across depths, outputs that are listed twice in a chain."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.engine.planner import Planner
from core.readers import Source
from core.recipes.recipe import Recipe

tf_keras = pytest.importorskip("tf_keras")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


def _tied(source: Source) -> list[tuple[str, str]]:
    found = [one for one in source.findings if one.code == "weight.tied"]
    assert all("will diverge in training" in one.message for one in found)
    return [(one.layer, one.detail) for one in found]


def _across_depth(k: Any) -> Any:
    dense = k.layers.Dense(10, name="d")
    x, y = k.Input((10,)), k.Input((10,))
    inner = k.Model(x, dense(x), name="sub")
    return k.Model(y, k.layers.Activation("tanh", name="t")(dense(inner(y))))


def _between_models(k: Any) -> Any:
    dense = k.layers.Dense(10, name="d")
    x, y, z = k.Input((10,)), k.Input((10,)), k.Input((10,))
    left, right = k.Model(x, dense(x), name="left"), k.Model(y, dense(y), name="right")
    return k.Model(z, right(left(z)))


def _deeper(k: Any) -> Any:
    dense = k.layers.Dense(10, name="d")
    x, y, z = k.Input((10,)), k.Input((10,)), k.Input((10,))
    deep = k.Model(x, dense(x), name="deep")
    middle = k.Model(y, deep(y), name="middle")
    return k.Model(z, dense(middle(z)))


@pytest.mark.parametrize("k", [tf_keras, keras], ids=["h5", "keras"])
@pytest.mark.parametrize(
    ("build", "where"),
    [(_across_depth, {"d", "sub/d"}), (_between_models, {"left/d", "right/d"}), (_deeper, {"d", "middle/deep/d"})],
)
def test_that_a_layer_shared_across_depths_is_told(
    k: Any, build: Callable[[Any], Any], where: set[str], tmp_path: Path
) -> None:
    path = tmp_path / ("model.h5" if k is tf_keras else "model.keras")
    build(k).save(path)
    source = read_model(path)
    ((_, detail),) = _tied(source)
    assert set(detail.split("\n")) == where
    assert source.graph.num_params() == 220


def test_that_layers_of_one_name_that_were_never_one_are_not_told(tmp_path: Path) -> None:
    for k, ending in ((tf_keras, "h5"), (keras, "keras")):
        x, y = k.Input((10,)), k.Input((10,))
        inner = k.Model(x, k.layers.Dense(10, name="d")(x))
        shared = k.layers.Dense(10, name="s")
        k.Model(y, k.layers.Dense(10, name="d")(shared(shared(inner(y))))).save(tmp_path / f"model.{ending}")
        assert _tied(read_model(tmp_path / f"model.{ending}")) == []


def _with_outputs(model: Any, path: Path, outputs: Callable[[Any], Any]) -> Path:
    """A `.keras` file whose nested Functional models name other outputs."""
    plain = path.with_name("plain.keras")
    model.save(plain)

    def change(item: Any, nested: bool = False) -> Any:
        if isinstance(item, list):
            return [change(one, nested) for one in item]
        if not isinstance(item, dict):
            return item
        if nested and item.get("class_name") == "Functional":
            item = {**item, "config": {**item["config"], "output_layers": outputs(item["config"]["output_layers"])}}
        return {key: change(value, True) for key, value in item.items()}

    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(path, "w") as made:
        for name in archive.namelist():
            data = archive.read(name)
            made.writestr(name, json.dumps(change(json.loads(data))) if name == "config.json" else data)
    return path


def _chain(k: Any) -> Any:
    x = k.Input((9, 9, 3))
    body = k.Model(x, k.layers.Conv2D(4, 3, name="c")(x), name="body")
    return k.Sequential([k.Input((9, 9, 3)), body, k.layers.GlobalAveragePooling2D(), k.layers.Dense(3)])


def _chain_inside(k: Any) -> Any:
    y = k.Input((9, 9, 3))
    return k.Model(y, _chain(k)(y))


def _at_every_step(k: Any) -> Any:
    x, y = k.Input((9, 9, 3)), k.Input((4, 9, 9, 3))
    body = k.Model(x, k.layers.Flatten()(k.layers.Conv2D(4, 3, name="c")(x)), name="body")
    return k.Model(y, k.layers.TimeDistributed(body, name="t")(y))


@pytest.mark.parametrize("build", [_chain, _chain_inside, _at_every_step])
def test_that_an_output_listed_twice_in_a_chain_is_listed_once(build: Callable[[Any], Any], tmp_path: Path) -> None:
    model = build(keras)
    path = _with_outputs(model, tmp_path / "doubled.keras", lambda ports: [ports, ports])
    source = read_model(path)
    (told,) = [one for one in source.findings if "Outputs listed more than once" in one.message]
    assert (told.severity, told.code) == ("info", "legacy.repaired")
    engine = Engine()
    engine.set_source(source)
    written = engine.apply(Recipe(), tmp_path / "new.keras", True)
    assert written.verification is not None
    assert written.verification.ok, written.verification.message
    inputs = np.random.default_rng(0).standard_normal((2, *model.input_shape[1:])).astype("float32")
    assert np.allclose(keras.saving.load_model(tmp_path / "new.keras")(inputs), model(inputs), atol=1e-6)


def test_that_several_outputs_in_a_chain_are_an_error(tmp_path: Path) -> None:
    x = keras.Input((9, 9, 3))
    first = keras.layers.Conv2D(4, 3, name="c")(x)
    body = keras.Model(x, keras.layers.ReLU(name="r")(first), name="body")
    model = keras.Sequential([keras.Input((9, 9, 3)), body, keras.layers.GlobalAveragePooling2D()])
    path = _with_outputs(model, tmp_path / "several.keras", lambda ports: [ports, ["c", 0, 0]])
    plan = Planner(read_model(path)).plan(Recipe())
    assert [one.layer for one in plan.findings if one.severity == "error"] == ["body"]
    assert "gives 2 tensors" in plan.findings[-1].message


def test_that_two_equal_outputs_of_a_whole_model_stay_two(tmp_path: Path) -> None:
    x = keras.Input((4,))
    y = keras.layers.Dense(2)(x)
    keras.Model(x, [y, y]).save(tmp_path / "two.keras")
    source = read_model(tmp_path / "two.keras")
    assert len(source.graph.output_refs()) == 2
    assert source.findings == ()
