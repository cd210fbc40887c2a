"""Two files side by side: what is only written otherwise is no difference, what means another thing is."""

import inspect
from pathlib import Path
from typing import Any

import keras
import pytest

from core.analysis.diff import Change, compare
from core.analysis.likeness import alike, default, differing
from core.analysis.opening import read_model
from core.layers.rows import ROWS
from tests.core.readers import keras2_zoo

tf_keras = pytest.importorskip("tf_keras")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


@pytest.mark.parametrize("kind", ["flat", "nested", "wrapped"])
def test_that_one_model_saved_by_keras_2_and_3_has_no_fields_that_differ(kind: str, tmp_path: Path) -> None:
    for k, ending in ((tf_keras, ".h5"), (keras, ".keras")):
        layers = k.layers
        body = [layers.Input((8, 8, 1), name="x"), layers.Resizing(4, 4, name="r"), layers.Conv2D(2, 3, name="c")]
        body += [layers.BatchNormalization(name="n"), layers.PReLU(shared_axes=[1, 2], name="p")]
        if kind == "nested":
            body = [layers.Input((8, 8, 1), name="o"), k.Sequential(body, name="inner"), layers.Flatten(name="f")]
        elif kind == "wrapped":
            body = [
                layers.Input((3, 8, 8, 1), name="o"),
                layers.TimeDistributed(layers.Conv2D(2, 3, name="c"), name="t"),
            ]
            body += [layers.Reshape((3, 72), name="e"), layers.Bidirectional(layers.LSTM(2, name="l"), name="b")]
        k.Sequential(body, name="m").save(tmp_path / f"m{ending}")
    found = compare(read_model(tmp_path / "m.h5"), read_model(tmp_path / "m.keras"), lambda *_: None)
    assert [change for one in found.layers for change in one.fields] == []
    assert found.only_a == found.only_b == ()


def test_that_another_policy_is_told_by_its_name(tmp_path: Path) -> None:
    for name, policy in (("a", "float32"), ("b", "mixed_float16")):
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d", dtype=policy)]).save(
            tmp_path / f"{name}.keras"
        )
    found = compare(read_model(tmp_path / "a.keras"), read_model(tmp_path / "b.keras"), lambda *_: None)
    fields = {one.a: one.fields for one in found.layers}
    assert Change("dtype", "float32", "mixed_float16") in fields["d"]


@pytest.mark.parametrize(
    ("field", "a", "b", "same"),
    [
        ("dilation_rate", 1, [1, 1], True),
        ("axis", 3, -1, True),
        ("axis", 1, -1, False),
        ("activation", None, "linear", True),
        ("padding", [[1, 1], [1, 1]], 1, True),
        ("padding", [[0, 1], [0, 1]], 1, False),
        ("kernel_initializer", "glorot_uniform", {"class_name": "GlorotUniform", "config": {"seed": None}}, True),
        ("kernel_initializer", "glorot_normal", {"class_name": "GlorotUniform", "config": {"seed": None}}, False),
        ("dtype", "float32", {"class_name": "DTypePolicy", "config": {"name": "float32"}}, True),
        ("dtype", None, "float16", False),
    ],
)
def test_that_a_value_in_another_form_is_the_same(field: str, a: Any, b: Any, same: bool) -> None:
    assert alike(field, a, b, 4) is same


def test_that_settings_of_an_initializer_are_told() -> None:
    def normal(deviation: float) -> Any:
        return {"kernel_initializer": {"class_name": "RandomNormal", "config": {"stddev": deviation, "seed": None}}}

    assert list(differing("Dense", normal(0.1), normal(0.2))) == [
        ("kernel_initializer", "RandomNormal(stddev=0.1)", "RandomNormal(stddev=0.2)")
    ]


def test_that_what_a_config_leaves_out_is_what_keras_takes() -> None:
    checked = 0
    for name, row in ROWS.items():
        for cls in getattr(keras.layers, name, object).__mro__:
            if cls in (keras.layers.Layer, object):
                break
            for parameter in inspect.signature(vars(cls).get("__init__", cls)).parameters.values():
                known = default(name, parameter.name)
                if (
                    parameter.name in row.fields.split()
                    and parameter.default is not parameter.empty
                    and known is not None
                ):
                    assert alike(parameter.name, known, parameter.default), (name, parameter.name)
                    checked += 1
            if "__init__" in vars(cls):
                break
    assert checked > 300


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_that_every_class_of_keras_2_reads_like_its_twin_of_keras_3(tmp_path: Path) -> None:
    """Each small model's JSON of both libraries, layer by layer in their order."""
    olds, news = keras2_zoo.models(tf_keras), keras2_zoo.models(keras)
    told: dict[str, Any] = {}
    compared = 0
    for name in olds:
        graphs = []
        for k, build in ((tf_keras, olds[name]), (keras, news[name])):
            path = tmp_path / f"{name}_{k.__name__}.json"
            try:
                path.write_text(build().to_json())
            except (AttributeError, TypeError, ValueError):
                break  # a class or a setting that only one of them has
            graphs.append(read_model(path).graph)
        if len(graphs) < 2:
            continue
        for one, two in zip(graphs[0].layers, graphs[1].layers, strict=True):
            shapes = [graphs[1].spec(ref).shape for call in two.calls for ref in call.inputs()]
            rank = len(shapes[0]) if shapes and shapes[0] else None
            found = [field for field, _, _ in differing(one.class_name, one.config, two.config, rank)]
            compared += 1
            if one.class_name == two.class_name and found:
                told[f"{name}/{one.class_name}"] = found
    assert compared > 60
    # their constructors have other defaults
    defaults = {f"ConvLSTM{rank}D/ConvLSTM{rank}D": ["recurrent_activation"] for rank in (2, 3)}
    ranges = {f"Random{name}/Random{name}": ["factor"] for name in ("Rotation", "Contrast")}
    assert told == {**defaults, **ranges, "Discretization/Discretization": ["dtype"]}
