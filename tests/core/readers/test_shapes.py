"""Static shapes agree with Keras on whole architectures, with everything the file says of shapes taken out."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from core.layers.shapes.graph import fill_shapes
from core.model.graph import Graph, Layer
from core.readers.config_graph import build_graph
from core.repairs import repair_model

QUICK = ["ResNet50", "MobileNetV2", "EfficientNetB0", "ConvNeXtTiny", "VGG16"]
SLOW = [
    "DenseNet121",
    "Xception",
    "NASNetMobile",
    "InceptionV3",
    "EfficientNetV2B0",
    "MobileNetV3Small",
    "InceptionResNetV2",
]


def _bare(path: str, layer: Layer) -> Layer:
    return layer if layer.is_input else replace(layer, calls=tuple(replace(call, outputs=None) for call in layer.calls))


def _check(model: Any) -> None:
    import keras
    from keras.src.saving import serialization_lib

    config = json.loads(json.dumps(serialization_lib.serialize_keras_object(model)))
    graph = fill_shapes(build_graph(repair_model(config, "3.15").model).replace_layers(_bare))
    wrong: list[Any] = []

    def compare(inner: Any, level: Graph) -> None:
        for layer in level.layers:
            operation = next(item for item in _operations(inner) if item.name == layer.name)
            expected = [
                [(tuple(tensor.shape), tensor.dtype) for tensor in keras.tree.flatten(node.output_tensors)]
                for node in operation._inbound_nodes[: len(layer.calls)]
            ]
            found = [[(spec.shape, spec.dtype) for spec in call.outputs or ()] for call in layer.calls]
            if layer.inner is not None and layer.inner_key is None:
                compare(operation, layer.inner)
            elif found != expected:
                wrong.append((layer.name, found, expected))

    compare(model, graph)
    assert wrong == []


def _operations(model: Any) -> Any:
    inner = getattr(model, "_functional", None)
    return inner.operations if inner is not None else model.operations


@pytest.mark.parametrize("name", QUICK)
def test_that_every_shape_of_an_architecture_is_keras_own(name: str) -> None:
    import keras

    _check(getattr(keras.applications, name)(weights=None))


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_that_every_shape_of_a_larger_architecture_is_keras_own(name: str) -> None:
    import keras

    _check(getattr(keras.applications, name)(weights=None))


def test_that_dynamic_and_odd_sizes_follow_keras() -> None:
    import keras

    layers = keras.layers
    start = keras.Input((None, 37, 3))
    x = layers.Conv2D(4, 3, strides=2, dilation_rate=1)(start)
    x = layers.ZeroPadding2D(((1, 2), (0, 3)))(x)
    x = layers.Conv2DTranspose(5, 4, strides=3, padding="same")(x)
    x = layers.SeparableConv2D(6, 3, padding="same")(x)
    x = layers.UpSampling2D((2, 3))(x)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = layers.Cropping2D(2)(x)
    x = layers.GlobalMaxPooling2D(keepdims=True)(x)
    x = layers.Reshape((-1, 3))(x)
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    z = layers.MultiHeadAttention(2, 3)(y, y)
    _check(keras.Model(start, [layers.Concatenate(axis=1)([y, z]), layers.Dot(axes=2)([y, z])]))


def test_that_a_nested_models_shape_follows_its_input() -> None:
    import keras

    body = keras.applications.MobileNetV2(weights=None, input_shape=(None, None, 3), alpha=0.35, include_top=False)
    start = keras.Input((96, 64, 3))
    _check_outputs(keras.Model(start, keras.layers.Flatten()(body(start))))


def _check_outputs(model: Any) -> None:
    from keras.src.saving import serialization_lib

    config = json.loads(json.dumps(serialization_lib.serialize_keras_object(model)))
    graph = fill_shapes(build_graph(repair_model(config, "3.15").model).replace_layers(_bare))
    assert [graph.spec(ref).shape for ref in graph.output_refs()] == [tuple(tensor.shape) for tensor in model.outputs]
