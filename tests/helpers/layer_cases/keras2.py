"""Cases that only Keras 2 has: fields and classes it dropped later, forms that old versions wrote."""

from collections.abc import Iterator
from typing import Any

from tests.helpers.layer_cases.base import Case, In
from tests.helpers.layer_cases.plain import IMAGE, STEPS, VOLUME, chain


def dropped(k: Any) -> Iterator[Case]:
    make, experimental = k.layers, k.layers.experimental
    yield chain("ThresholdedReLU", STEPS, lambda: make.ThresholdedReLU(0.4))
    yield chain("RandomHeight", In((9, 8, 3), "image"), lambda: make.RandomHeight(0.2))
    yield chain("RandomWidth", In((9, 8, 3), "image"), lambda: make.RandomWidth(0.2))
    yield chain("LocallyConnected1D", STEPS, lambda: make.LocallyConnected1D(3, 2))
    yield chain("LocallyConnected1D/implementation 2", STEPS, lambda: make.LocallyConnected1D(3, 2, implementation=2))
    yield chain("LocallyConnected2D", IMAGE, lambda: make.LocallyConnected2D(3, 2))
    yield chain("LocallyConnected2D/implementation 3", IMAGE, lambda: make.LocallyConnected2D(3, 2, implementation=3))
    yield chain("SyncBatchNormalization", IMAGE, lambda: experimental.SyncBatchNormalization())
    yield chain("RandomFourierFeatures", In((5,)), lambda: experimental.RandomFourierFeatures(4))
    yield chain("BatchNormalizationV1", IMAGE, lambda: _inner().BatchNormalizationV1())
    yield chain("BatchNormalization/renorm", IMAGE, lambda: _inner().BatchNormalizationV1(renorm=True))
    yield chain("BatchNormalization/not fused", IMAGE, lambda: make.BatchNormalization(fused=False))
    yield chain("BatchNormalization/synchronized", IMAGE, lambda: make.BatchNormalization(synchronized=True))
    yield chain("BatchNormalization/volume", VOLUME, lambda: make.BatchNormalization())
    for name in ("LSTM", "GRU"):
        yield chain(f"{name}V1", STEPS, lambda n=name: getattr(_inner(), f"{n}V1")(3))
        yield chain(
            f"{name}V1/sequences",
            STEPS,
            lambda n=name: getattr(_inner(), f"{n}V1")(3, return_sequences=True, implementation=1),
        )
        yield chain(f"{name}CellV1", STEPS, lambda n=name: k.layers.RNN(getattr(_inner(), f"{n}CellV1")(3)))
        for number in (1, 2):
            yield chain(
                f"{name}/implementation {number}", STEPS, lambda n=name, i=number: getattr(make, n)(3, implementation=i)
            )
        yield chain(
            f"{name}/time major",
            In((6, 4), batch=3),
            lambda n=name: getattr(make, n)(3, time_major=True, return_sequences=True),
        )
    yield chain("Embedding/input length", In((5,), "int"), lambda: make.Embedding(10, 3, input_length=5))
    yield chain("Dense/input shape", In((5,)), lambda: make.Dense(3, input_shape=(5,)))
    yield chain(
        "Dense/legacy initializer", In((5,)), lambda: make.Dense(3, kernel_initializer="normal", bias_initializer="one")
    )
    yield chain("Softmax/axes in a list", IMAGE, lambda: make.Softmax(axis=[1, 2]))
    yield chain("DepthwiseConv2D/groups", IMAGE, lambda: make.DepthwiseConv2D(3, groups=1))
    yield chain(
        "ZeroPadding2D/then valid",
        IMAGE,
        lambda: make.ZeroPadding2D(((0, 1), (0, 1))),
        lambda: make.DepthwiseConv2D(3, strides=2),
    )
    yield chain("Lambda", STEPS, lambda: make.Lambda(lambda x: x / 255.0))
    yield chain(
        "CategoryEncoding/sparse off",
        In((1,), "int", limit=4),
        lambda: make.CategoryEncoding(4, output_mode="one_hot", sparse=False),
    )
    yield Case("DenseFeatures", (), model=lambda: _features(k))
    yield chain(
        "DynamicLookup",
        In((1,), "text", words=("a", "b")),
        lambda: experimental.DynamicLookup(3, initial_vocabulary=_texts()),
    )
    yield chain(
        "DynamicEmbedding",
        In((1,), "text", words=("a", "b")),
        lambda: experimental.DynamicEmbedding(3, 2, initial_vocabulary=_texts()),
    )
    yield chain("DeviceWrapper", STEPS, lambda: k.layers.RNN(_inner().DeviceWrapper(k.layers.LSTMCell(3), "/cpu:0")))
    yield chain(
        "DropoutWrapper",
        STEPS,
        lambda: k.layers.RNN(_inner().DropoutWrapper(k.layers.SimpleRNNCell(3), input_keep_prob=0.9, seed=1)),
    )
    yield chain("ResidualWrapper", STEPS, lambda: k.layers.RNN(_inner().ResidualWrapper(k.layers.LSTMCell(4))))


def _inner() -> Any:
    """Classes that tf-keras has, but shows under compatibility names only."""
    import tf_keras.src.layers as inner

    return inner


def _texts() -> Any:
    import tensorflow as tf

    return tf.constant(["a", "b", "c"])


def _features(k: Any) -> Any:
    import tensorflow as tf

    columns = [tf.feature_column.numeric_column("age")]
    age = k.Input((1,), name="age")
    return k.Model([age], k.layers.Dense(2)(k.layers.DenseFeatures(columns)({"age": age})))


def precision(k: Any) -> Iterator[Case]:
    make = k.layers
    half = "mixed_float16"
    yield chain(
        "Dense/mixed_float16",
        In((5,)),
        lambda: make.Dense(3, dtype=half),
        lambda: make.Activation("softmax", dtype="float32"),
        tolerance=2e-3,
    )
    yield chain(
        "Conv2D/mixed_float16",
        IMAGE,
        lambda: make.Conv2D(3, 3, dtype=half),
        lambda: make.BatchNormalization(dtype=half),
        lambda: make.Activation("linear", dtype="float32"),
        tolerance=5e-3,
    )
    yield chain(
        "LSTM/mixed_float16",
        STEPS,
        lambda: make.LSTM(3, dtype=half),
        lambda: make.Activation("linear", dtype="float32"),
        tolerance=5e-3,
    )
    yield chain("Dense/float64", In((5,), dtype="float64"), lambda: make.Dense(3, dtype="float64"))
    yield chain(
        "Dense/mixed_bfloat16",
        In((5,)),
        lambda: make.Dense(3, dtype="mixed_bfloat16"),
        lambda: make.Activation("linear", dtype="float32"),
        tolerance=2e-2,
    )
    yield chain(
        "LayerNormalization/mixed_float16",
        STEPS,
        lambda: make.LayerNormalization(dtype=half),
        lambda: make.Activation("linear", dtype="float32"),
        tolerance=5e-3,
    )
    yield chain(
        "MultiHeadAttention/mixed_float16",
        STEPS,
        lambda: _Self(make.MultiHeadAttention(2, 3, dtype=half)),
        lambda: make.Activation("linear", dtype="float32"),
        tolerance=5e-3,
    )


class _Self:
    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __call__(self, x: Any) -> Any:
        return self.layer(x, x)


def old_forms(k: Any) -> Iterator[Case]:
    """Config edits after saving: forms this tf-keras reads or read once, but does not write."""
    make = k.layers
    yield chain(
        "CuDNNLSTM",
        STEPS,
        lambda: _inner().CuDNNLSTM(3, return_sequences=True),
        oracle=lambda m: plain_gates(k, m),
        only=("h5",),
    )
    yield chain("CuDNNGRU", STEPS, lambda: _inner().CuDNNGRU(3), oracle=lambda m: plain_gates(k, m), only=("h5",))
    yield chain(
        "CuDNNLSTM/bidirectional",
        STEPS,
        lambda: make.Bidirectional(_inner().CuDNNLSTM(3)),
        oracle=lambda m: plain_gates(k, m),
        only=("h5",),
    )
    yield Case(
        "TensorFlowOpLayer", (STEPS,), lambda x: make.Dense(3, name="after")(x + 1.0), doctor=_as_op_layer, only=("h5",)
    )


def plain_gates(k: Any, model: Any) -> Any:
    """The model with LSTM and GRU in place of CuDNN's, whose weights tf-keras itself converts."""
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    def swap(layer: Any) -> Any:
        config = layer.get_config()
        name = type(layer).__name__
        if name == "Bidirectional":
            inner = swap(layer.forward_layer)
            return k.layers.Bidirectional(inner, merge_mode=config["merge_mode"])
        fields = {"units": config["units"], "return_sequences": config["return_sequences"]}
        return getattr(k.layers, name.removeprefix("CuDNN"))(**fields)

    old = next(layer for layer in model.layers if not isinstance(layer, k.layers.InputLayer))
    new = swap(old)
    x = k.Input(model.inputs[0].shape[1:])
    made = k.Model(x, new(x))
    new.set_weights(preprocess_weights_for_loading(new, old.get_weights(), "2", "tensorflow"))
    return made


def _as_op_layer(config: dict[str, Any]) -> None:
    """The `x + 1.0` of a model as TensorFlow 2.0 to 2.3 wrote it: a graph node with its constants."""
    layers = config["config"]["layers"]
    place = next(index for index, layer in enumerate(layers) if layer["class_name"] == "TFOpLambda")
    old = layers[place]
    name, source = old["name"], layers[0]["name"]
    node = {
        "name": name,
        "op": "AddV2",
        "input": [source, f"{name}/y"],
        "attr": {"T": {"type": "DT_FLOAT"}},
    }
    layers[place] = {
        "class_name": "TensorFlowOpLayer",
        "config": {
            "name": name,
            "trainable": True,
            "dtype": "float32",
            "node_def": node,
            "constants": {"1": 1.0},
        },
        "name": f"tf_op_layer_{name}",
        "inbound_nodes": [[[source, 0, 0, {}]]],
    }
    for layer in layers:
        if layer["name"] == "after":
            layer["inbound_nodes"] = [[[f"tf_op_layer_{name}", 0, 0, {}]]]


def helped(k: Any) -> Iterator[Case]:
    """Layers that get helpers, with weights after them: nothing may be counted wrongly."""
    make = k.layers
    yield chain(
        "SeparableConv1D/causal, then Dense",
        STEPS,
        lambda: make.SeparableConv1D(3, 2, padding="causal"),
        lambda: make.Dense(3),
        lambda: make.Dense(2),
    )
    yield chain(
        "Activation/hard_sigmoid, then Dense",
        STEPS,
        lambda: make.Dense(4),
        lambda: make.Activation("hard_sigmoid"),
        lambda: make.Dense(4),
        lambda: make.Dense(4),
    )
    yield chain(
        "LSTM/time major, then Dense",
        In((6, 4), batch=3),
        lambda: make.LSTM(4, time_major=True, return_sequences=True),
        lambda: make.Dense(4),
        lambda: make.Dense(4),
    )
    yield Case(
        "Sequential/hard_sigmoid",
        (),
        model=lambda: k.Sequential(
            [k.Input((4,)), make.Dense(4), make.Activation("hard_sigmoid"), make.Dense(4), make.Dense(4)]
        ),
    )


def names(k: Any) -> Iterator[Case]:
    make = k.layers
    yield Case(
        "Dense/slash in the name",
        (STEPS,),
        lambda x: make.Dense(2, name="block/one/dense")(make.Dense(3, name="block/two/dense")(x)),
    )


def keras2(k: Any) -> Iterator[Case]:
    for part in (dropped, precision, old_forms, helped, names):
        yield from part(k)
