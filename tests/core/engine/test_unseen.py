"""Sizes in the configs of classes that are not Keras's: told when what reaches them, or the model's input, changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from core.analysis.opening import read_model
from core.engine.planner import Planner
from core.findings import Finding
from core.recipes.recipe import Recipe, from_json

tf_keras = pytest.importorskip("tf_keras")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


def _classes(k: Any) -> tuple[Any, Any]:
    """A layer that holds the image's size and no arrays, as in many an SSD, and one that holds none."""

    def init(self: Any, img_height: int = 0, img_width: int = 0, this_scale: float = 0.2, **fields: Any) -> None:
        k.layers.Layer.__init__(self, **fields)
        self.sizes = {"img_height": img_height, "img_width": img_width, "this_scale": this_scale}

    methods = {
        "__init__": init,
        "call": lambda self, x: x * self.sizes["this_scale"],
        "compute_output_shape": lambda self, shape: shape,
        "get_config": lambda self: {**k.layers.Layer.get_config(self), **self.sizes},
    }
    plain = {"call": lambda self, x: x * 2, "compute_output_shape": lambda self, shape: shape}
    return type("AnchorBoxes", (k.layers.Layer,), methods), type("Doubled", (k.layers.Layer,), plain)


def _flat(k: Any) -> Any:
    anchors, doubled = _classes(k)
    x = k.Input((30, 40, 3))
    y = k.layers.Conv2D(2, 3, 2, "same", name="c")(doubled(name="doubled")(x))
    return k.Model(x, anchors(30, 40, name="anchors")(y))


def _nested(k: Any) -> Any:
    anchors, _ = _classes(k)
    x, y = k.Input((30, 40, 3)), k.Input((30, 40, 3))
    inner = k.Model(x, anchors(30, 40, name="anchors")(k.layers.Conv2D(2, 3, name="c")(x)), name="body")
    return k.Model(y, inner(y))


def _several(k: Any) -> Any:
    anchors, _ = _classes(k)
    x = k.Input((30, 40, 3))
    first = k.layers.Conv2D(2, 3, 2, "same", name="c")(x)
    second = k.layers.Conv2D(2, 3, 2, "same", name="d")(first)
    pooled = k.layers.GlobalAveragePooling2D()(anchors(30, 40, name="b")(second))
    return k.Model(x, [anchors(30, 40, name="anchors")(first), anchors(30, 40, 0.4, name="far")(pooled)])


def _told(path: Path, *edits: dict[str, Any]) -> list[Finding]:
    planned = Planner(read_model(path)).plan(
        from_json(json.dumps({"suture": 1, "edits": list(edits)})) if edits else Recipe()
    )
    return [one for one in planned.findings if one.code == "baked.constant"]


RESIZED = {"do": "change_input", "shape": [60, 80, 3]}


@pytest.mark.parametrize("k", [tf_keras, keras], ids=["h5", "keras"])
@pytest.mark.parametrize("build", [_flat, _nested, _several])
def test_that_sizes_in_a_config_are_told_and_set_in_one_click(
    build: Callable[[Any], Any], k: Any, tmp_path: Path
) -> None:
    path = tmp_path / ("model.h5" if k is tf_keras else "model.keras")
    build(k).save(path)
    assert _told(path) == []
    found = _told(path, RESIZED)
    assert len(found) == 1
    assert "img_height 30, img_width 40" in found[0].message
    assert "AnchorBoxes" in found[0].message
    (fix,) = found[0].fixes
    assert fix.title.startswith("Set img_height 60, img_width 80")
    planner = Planner(read_model(path))
    recipe = from_json(json.dumps({"suture": 1, "edits": [RESIZED]}))
    settled = planner.plan(Recipe(edits=(*recipe.edits, *fix.edits)))
    assert [one for one in settled.findings if one.code == "baked.constant"] == []
    sizes = [layer.config["img_height"] for _, layer in settled.graph.walk() if layer.class_name == "AnchorBoxes"]
    assert set(sizes) == {60}


def test_that_any_edit_that_changes_what_arrives_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    anchors, _ = _classes(tf_keras)
    x = tf_keras.Input((30, 40, 3))
    tf_keras.Model(x, anchors(30, 40, name="anchors")(tf_keras.layers.Activation("relu", name="a")(x))).save(path)
    pooled = {"do": "insert_layer", "layer": "a", "config": {"class_name": "MaxPooling2D", "config": {}}}
    (found,) = _told(path, pooled)
    assert "anchors (AnchorBoxes) receives a new input shape" in found.message
    assert _told(path, {"do": "rename_layer", "layer": "a", "name": "b"}) == []


def test_that_a_square_size_is_set_by_the_name_of_its_field(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    anchors, _ = _classes(tf_keras)
    x = tf_keras.Input((32, 32, 3))
    tf_keras.Model(x, anchors(32, 32, name="anchors")(x)).save(path)
    (found,) = _told(path, {"do": "change_input", "shape": [48, 64, 3]})
    assert found.fixes[0].title == "Set img_height 48, img_width 64"
