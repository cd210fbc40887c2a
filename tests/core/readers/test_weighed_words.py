"""Lookups that weigh words by tf_idf: weights are found where Keras keeps them, and asked for where it kept none."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from core.analysis.opening import read_model
from core.edits import AcceptLosses, ReplaceLayer
from core.engine.api import Engine
from core.engine.planner import Planner
from core.model.plan import Plan
from core.recipes.recipe import Recipe
from tests.core.readers.rebuild import difference

tf_keras = pytest.importorskip("tf_keras")
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    pytest.mark.filterwarnings("ignore:Skipping nested container"),
]

WORDS = {
    "TextVectorization": (["a b c", "a b", "a"], ["a b z"], "string"),
    "StringLookup": ([["a", "b", "c"], ["a", "b", "b"], ["a", "a", "a"]], [["a", "b", "z"]], "string"),
    "IntegerLookup": ([[1, 2, 3], [1, 2, 2], [1, 1, 1]], [[1, 2, 7]], "int64"),
}


def _model(kind: str, nested: bool = False) -> tuple[Any, Any]:
    seen, asked, dtype = WORDS[kind]
    layer = getattr(keras.layers, kind)(output_mode="tf_idf", name="t")
    layer.adapt(tf.constant(seen, dtype))
    shape = (1,) if kind == "TextVectorization" else (3,)
    x = keras.Input(shape, dtype=dtype)
    model = keras.Model(x, keras.layers.Dense(2, name="d")(layer(x)), name="inner")
    if nested:
        y = keras.Input(shape, dtype=dtype)
        model = keras.Model(y, keras.layers.Activation("tanh")(model(y)))
    given = tf.constant([asked] if kind == "TextVectorization" else asked, dtype)
    return model, given


def _stripped(source: Path, path: Path) -> Path:
    """The file as versions of Keras wrote it that did not store the weights."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(path, "w") as made:
        for name in archive.namelist():
            data = archive.read(name)
            if name == "model.weights.h5":
                buffer = io.BytesIO(data)
                with h5py.File(buffer, "r+") as file:
                    found: list[str] = []
                    file.visit(found.append)
                    for key in found:
                        if key.endswith("idf_weights"):
                            del file[key]
                data = buffer.getvalue()
            made.writestr(name, data)
    return path


def _plan(path: Path, *edits: Any) -> Plan:
    return Planner(read_model(path)).plan(Recipe(edits=edits))


def _written(path: Path, out: Path, *edits: Any) -> Any:
    engine = Engine()
    engine.set_source(read_model(path))
    written = engine.apply(Recipe(edits=edits), out, True)
    assert written.verification is not None
    assert written.verification.ok, written.verification.message
    return keras.saving.load_model(out)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", WORDS)
def test_that_weights_stored_as_an_array_are_found(kind: str, nested: bool, tmp_path: Path) -> None:
    model, given = _model(kind, nested)
    model.save(tmp_path / "model.keras")
    plan = _plan(tmp_path / "model.keras")
    assert plan.ok
    assert plan.findings == ()
    if kind == "TextVectorization" or nested:
        new = _written(tmp_path / "model.keras", tmp_path / "out.keras")
        assert difference(new(given), model(given)) < 1e-6


@pytest.mark.parametrize(("kind", "nested"), [("TextVectorization", False), ("StringLookup", True)])
def test_that_weights_that_were_never_stored_are_asked_for_and_taken(kind: str, nested: bool, tmp_path: Path) -> None:
    model, given = _model(kind, nested)
    model.save(tmp_path / "whole.keras")
    path = _stripped(tmp_path / "whole.keras", tmp_path / "old.keras")
    where = "inner/t" if nested else "t"
    (told,) = _plan(path).findings
    assert (told.severity, told.code, told.layer) == ("error", "layer.unlearnt", where)
    assert "replace_layer as idf_weights" in told.message
    layer = (model.get_layer("inner") if nested else model).get_layer("t")
    weights = getattr(layer, "_lookup_layer", layer).idf_weights.numpy().tolist()
    edit = ReplaceLayer(layer=where, config={"idf_weights": weights})
    assert _plan(path, edit).findings == ()
    assert difference(_written(path, tmp_path / "out.keras", edit)(given), model(given)) < 1e-6
    carried = _plan(path, *told.fixes[0].edits)
    assert isinstance(told.fixes[0].edits[0], AcceptLosses)
    assert carried.ok
    assert [(one.severity, one.code) for one in carried.findings] == [("warning", "layer.unlearnt")]
    assert "Keras cannot run" in carried.findings[0].message


def test_that_words_and_weights_missing_in_an_old_file_are_asked_for_and_taken(tmp_path: Path) -> None:
    words, weights = ["red", "the", "blue"], [0.5, 0.25, 1.5]
    layer = tf_keras.layers.StringLookup(vocabulary=words, idf_weights=weights, output_mode="tf_idf", name="t")
    model = tf_keras.Sequential([tf_keras.Input((2,), dtype="string"), layer, tf_keras.layers.Dense(2, name="d")])
    path = tmp_path / "old.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for item in config["config"]["layers"]:
            if item["class_name"] == "StringLookup":
                item["config"].update(vocabulary=None, idf_weights=None)
        file.attrs["model_config"] = json.dumps(config).encode()
    told = [one for one in _plan(path).findings if one.severity == "error"]
    assert [(one.code, one.layer) for one in told] == [("layer.unlearnt", "t")]
    edit = ReplaceLayer(layer="t", config={"vocabulary": words, "idf_weights": weights})
    new = _written(path, tmp_path / "out.keras", edit)
    asked = tf.constant([["red", "blue"], ["the", "unheard"]])
    assert np.allclose(np.asarray(new(asked)), np.asarray(model(asked)), atol=1e-6)
