"""What the planner says of a changed model, against the same architecture built by Keras at that shape."""

import warnings
from pathlib import Path
from typing import Any

import keras
import pytest

from core.model.plan import Plan
from tests.core.engine.drive import errors, planned
from tests.helpers.models import application

CASES: list[tuple[str, dict[str, Any], tuple[int, int, int]]] = [
    ("MobileNetV2", {"alpha": 0.35}, (96, 96, 1)),
    ("MobileNetV2", {"alpha": 0.35}, (161, 161, 3)),
    ("MobileNetV3Small", {}, (161, 161, 3)),
    ("MobileNet", {"alpha": 0.25}, (161, 96, 5)),
    ("EfficientNetB0", {}, (161, 130, 3)),
    ("EfficientNetV2B0", {}, (97, 97, 3)),
    ("ResNet50", {"include_top": False}, (97, 64, 1)),
    ("ResNet50V2", {"include_top": False}, (65, 65, 4)),
    ("DenseNet121", {}, (97, 97, 13)),
    ("Xception", {"include_top": False}, (161, 161, 1)),
    ("InceptionV3", {"include_top": False}, (160, 161, 2)),
    ("NASNetMobile", {"include_top": False}, (161, 161, 3)),
    ("ConvNeXtTiny", {"include_top": False}, (100, 96, 3)),
    ("VGG16", {"include_top": False}, (33, 47, 1)),
]


def native_shapes(model: Any) -> dict[str, list[tuple[int | None, ...]]]:
    """Every layer's output shapes, nested models too, as Keras built them."""
    found: dict[str, list[tuple[int | None, ...]]] = {}

    def level(one: Any, prefix: str) -> None:
        for layer in getattr(one, "_operations", one.layers):  # those of `keras.ops` too, which `layers` leaves out
            if isinstance(layer, keras.layers.InputLayer):
                continue
            path = prefix + layer.name
            if isinstance(layer, keras.Model):
                level(layer, path + "/")
            elif layer._inbound_nodes:
                node = layer._inbound_nodes[0]
                found[path] = [tuple(tensor.shape) for tensor in node.output_tensors]

    level(model, "")
    return found


def planned_shapes(plan: Plan) -> dict[str, list[tuple[int | None, ...]]]:
    return {
        path: [spec.shape for spec in layer.calls[0].outputs if spec.shape is not None]
        for path, layer in plan.graph.walk()
        if not layer.is_input and layer.inner is None and layer.calls and layer.calls[0].outputs
    }


def named(name: str) -> str:
    """Operations and unnamed layers carry numbers that differ from build to build."""
    return name.rpartition("/")[2].rstrip("0123456789").rstrip("_")


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES, ids=lambda value: str(value).replace(" ", ""))
def test_that_shapes_and_weights_are_those_of_a_native_build(
    name: str, arguments: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    source = application(name, calibrate=False, **arguments)
    found = planned(source, {"do": "change_input", "shape": list(shape)})
    assert not errors(found.plan)
    keras.backend.clear_session()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*usually expects 1 or 3 input channels")
        native = getattr(keras.applications, name)(weights=None, input_shape=shape, **arguments)
    ours, keras_own = planned_shapes(found.plan), native_shapes(native)
    assert sorted(map(named, ours)) == sorted(map(named, keras_own))
    same = {path: shapes for path, shapes in keras_own.items() if path in ours}
    assert len(same) > 0.8 * len(ours)
    assert {path: ours[path] for path in same} == same
    needed = sorted(fate.shape for fate in found.plan.fates if "seed" not in fate.weight)
    assert needed == sorted(tuple(weight.shape) for weight in native.weights)
    assert [port.shape for port in found.plan.outputs] == [tuple(tensor.shape) for tensor in native.outputs]


def test_that_another_size_leaves_every_weight_copied(tmp_path: Path) -> None:
    found = planned(application("MobileNetV2", alpha=0.35), {"do": "change_input", "shape": [161, 96, 3]})
    assert {fate.fate for fate in found.plan.fates} == {"copied"}
    assert found.plan.dropped == ()


def test_that_dynamic_sizes_stay_dynamic_to_the_end() -> None:
    arguments: dict[str, Any] = {"alpha": 0.35, "include_top": False, "pooling": "avg"}
    source = application("MobileNetV2", **arguments)
    found = planned(source, {"do": "change_input", "shape": [None, None, 3]})
    assert not errors(found.plan)
    keras.backend.clear_session()
    native = keras.applications.MobileNetV2(weights=None, input_shape=(None, None, 3), **arguments)
    ours, keras_own = planned_shapes(found.plan), native_shapes(native)
    assert {path: ours[path] for path in keras_own if path in ours} == keras_own
    assert found.plan.outputs[0].shape == (None, 1280)
    assert found.plan.after.macs is None
    assert found.plan.after.params == native.count_params()
