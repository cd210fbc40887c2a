"""Arguments that a layer's call does not take: the table against Keras, and files that carry such arguments."""

import inspect
import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from core.layers.call_arguments import accepted, translated
from core.layers.known import LAYERS
from core.model.graph import Call, TensorRef
from tests.core.engine.drive import applied


def test_that_the_table_of_arguments_is_what_keras_takes() -> None:
    for name in sorted(LAYERS):
        known = accepted(name)
        if known is not None:
            parameters = list(inspect.signature(getattr(keras.layers, name).call).parameters)[1:]
            assert set(known) == set(parameters), name


def _dense(name: str, source: str) -> dict[str, Any]:
    config = {"name": name, "trainable": True, "units": 3, "activation": "sigmoid", "use_bias": True}
    return {"class_name": "Dense", "name": name, "config": config, "inbound_nodes": [[[source, 0, 0, {}]]]}


def _input(name: str) -> dict[str, Any]:
    config = {"batch_input_shape": [None, 4, 3], "dtype": "float32", "sparse": False, "name": name}
    return {"class_name": "InputLayer", "name": name, "config": config, "inbound_nodes": []}


def _model(name: str, layers: list[dict[str, Any]], out: str) -> dict[str, Any]:
    config = {"name": name, "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [[out, 0, 0]]}
    return {"class_name": "Model", "config": config}


def _write(path: Path, model: dict[str, Any], group: str, kernel: Any, bias: Any) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.1.6", b"tensorflow"
        file.attrs["model_config"] = json.dumps(model).encode()
        held = file.create_group("model_weights")
        held.attrs["layer_names"] = [group.encode()]
        held.attrs["keras_version"], held.attrs["backend"] = b"2.1.6", b"tensorflow"
        inside = held.create_group(group)
        inside.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        inside["d/kernel:0"], inside["d/bias:0"] = kernel, bias


def _gate(class_name: str, two: bool) -> dict[str, Any]:
    mask: dict[str, Any] = {"mask": [None, None] if two else None}
    inputs = [["x", 0, 0, mask], ["d", 0, 0, mask]] if two else [["d", 0, 0, mask]]
    known: dict[str, dict[str, Any]] = {"Dropout": {"rate": 0.5}, "Activation": {"activation": "tanh"}}
    fields = known.get(class_name, {})
    config = {"name": "gate", "trainable": True, **fields}
    return {"class_name": class_name, "name": "gate", "config": config, "inbound_nodes": [inputs]}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("class_name", ["Multiply", "Add", "Concatenate", "Maximum", "Dropout", "Activation"])
def test_that_a_stale_mask_of_a_keras_2_file_is_dropped_and_the_model_answers(
    class_name: str, nested: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(3, 3)).astype("float32"), rng.normal(size=3).astype("float32")
    model = _model(
        "m", [_input("x"), _dense("d", "x"), _gate(class_name, class_name not in ("Dropout", "Activation"))], "gate"
    )
    if nested:
        inner = {**model, "name": "inner", "inbound_nodes": [[["x", 0, 0, {}]]]}
        inner["config"] = {**model["config"], "name": "inner"}
        model = _model("outer", [_input("x"), inner], "inner")
        model["config"]["output_layers"] = [["inner", 1, 0]]
    source = tmp_path / "old.h5"
    _write(source, model, "inner" if nested else "d", kernel, bias)
    written, new = applied(source, tmp_path / "new.keras")
    told = [finding for finding in written.plan.findings if "mask is removed" in finding.message]
    assert [(one.severity, one.code) for one in told] == [("info", "legacy.repaired")]
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    d = 1 / (1 + np.exp(-(x @ kernel + bias)))
    right = {
        "Multiply": x * d,
        "Add": x + d,
        "Concatenate": np.concatenate([x, d], -1),
        "Maximum": np.maximum(x, d),
        "Dropout": d,
        "Activation": np.tanh(d),
    }[class_name]
    np.testing.assert_allclose(new(x), right, rtol=1e-5, atol=1e-6)


def test_that_states_go_from_one_recurrent_layer_to_another_as_far_as_both_have_them() -> None:
    x, h, c = TensorRef("x"), TensorRef("h"), TensorRef("c")
    call = Call((x,), {"initial_state": [h, c], "mask": None, "training": True})
    to_gru, gone = translated(call, ("LSTM", {}), ("GRU", {}))
    assert (to_gru.kwargs["initial_state"], gone) == ([h], ())
    both = {"layer": {"class_name": "LSTM", "config": {}}}
    doubled, gone = translated(call, ("LSTM", {}), ("Bidirectional", both))
    assert (doubled.kwargs["initial_state"], gone) == ([h, c, h, c], ())
    assert translated(doubled, ("Bidirectional", both), ("LSTM", {}))[0].kwargs["initial_state"] == [h, c]
    back, gone = translated(to_gru, ("GRU", {}), ("LSTM", {}))
    assert ("initial_state" in back.kwargs, gone) == (False, ("initial_state",))
    dense, gone = translated(call, ("LSTM", {}), ("Dense", {}))
    assert (dense, gone) == (Call((x,), {"training": True}), ("initial_state",))
    named, _ = translated(Call((), {"sequences": x}), ("LSTM", {}), ("RMSNormalization", {}))
    assert named == Call((x,), {})
