"""Cases of layers that treat every sample alike: convolutions, pooling, normalisation, activations, merging, reshaping.

`k` is tf-keras or Keras 3; what only one of them has is in `keras2` and `keras3`.
"""

from collections.abc import Iterator
from typing import Any

from tests.helpers.layer_cases.base import Case, In

STEPS, IMAGE, VOLUME = In((9, 4)), In((9, 8, 4)), In((6, 5, 4, 2))
BY_RANK = {1: STEPS, 2: IMAGE, 3: VOLUME}


def chain(name: str, one: In, *layers: Any, **fields: Any) -> Case:
    """A case of layers one after the other. Each of `layers` makes one."""

    def call(x: Any) -> Any:
        for make in layers:
            x = make()(x)
        return x

    return Case(name, (one,), call, **fields)


def convolutions(k: Any) -> Iterator[Case]:
    make = k.layers
    for rank, one in BY_RANK.items():
        conv, back = getattr(make, f"Conv{rank}D"), getattr(make, f"Conv{rank}DTranspose")
        yield chain(f"Conv{rank}D", one, lambda c=conv: c(3, 2, name="conv"))
        yield chain(
            f"Conv{rank}D/strides, same, no bias",
            one,
            lambda c=conv: c(3, 3, strides=2, padding="same", use_bias=False),
        )
        yield chain(f"Conv{rank}D/dilation", one, lambda c=conv: c(3, 2, dilation_rate=2, activation="relu"))
        yield chain(f"Conv{rank}D/groups", one, lambda c=conv: c(4, 2, groups=2, activation="swish"))
        yield chain(
            f"Conv{rank}D/regularizers, constraints, initializers",
            one,
            lambda c=conv: c(
                2,
                2,
                kernel_regularizer=k.regularizers.L1L2(0.1, 0.2),
                bias_regularizer="l2",
                activity_regularizer="l1",
                kernel_constraint=k.constraints.MinMaxNorm(0.1, 2.0),
                bias_constraint="non_neg",
                kernel_initializer=k.initializers.HeNormal(seed=3),
                bias_initializer=k.initializers.Constant(0.3),
            ),
        )
        yield chain(f"Conv{rank}DTranspose", one, lambda c=back: c(3, 2))
        yield chain(
            f"Conv{rank}DTranspose/strides, same, no bias",
            one,
            lambda c=back: c(3, 3, strides=2, padding="same", use_bias=False),
        )
        yield chain(f"Conv{rank}DTranspose/output padding", one, lambda c=back: c(3, 3, strides=2, output_padding=1))
    yield chain("Conv1D/causal", STEPS, lambda: make.Conv1D(3, 3, padding="causal", dilation_rate=2))
    yield chain("Conv2D/any size", In((None, None, 3)), lambda: make.Conv2D(3, 3, padding="same"))
    yield chain("Conv2D/layers by name", IMAGE, lambda: make.Conv2D(3, (3, 2), (2, 1), activation="hard_sigmoid"))
    yield chain("Conv2DTranspose/dilation", IMAGE, lambda: make.Conv2DTranspose(3, 2, dilation_rate=2))
    for rank in (1, 2):
        one = BY_RANK[rank]
        depth, separable = getattr(make, f"DepthwiseConv{rank}D"), getattr(make, f"SeparableConv{rank}D")
        yield chain(f"DepthwiseConv{rank}D", one, lambda c=depth: c(3))
        yield chain(
            f"DepthwiseConv{rank}D/multiplier, same, no bias",
            one,
            lambda c=depth: c(3, depth_multiplier=2, padding="same", use_bias=False),
        )
        yield chain(
            f"DepthwiseConv{rank}D/strides",
            one,
            lambda c=depth: c(3, strides=2, activation="relu6" if k.__name__ == "keras" else "relu"),
        )
        yield chain(
            f"DepthwiseConv{rank}D/dilation",
            one,
            lambda c=depth: c(2, dilation_rate=2, depthwise_regularizer="l2", depthwise_constraint="max_norm"),
        )
        yield chain(f"SeparableConv{rank}D", one, lambda c=separable: c(3, 3))
        yield chain(
            f"SeparableConv{rank}D/multiplier, same, no bias",
            one,
            lambda c=separable: c(3, 3, depth_multiplier=2, padding="same", use_bias=False),
        )
        yield chain(
            f"SeparableConv{rank}D/strides",
            one,
            lambda c=separable: c(3, 2, strides=2, pointwise_initializer="he_normal", depthwise_constraint="unit_norm"),
        )
        yield chain(
            f"SeparableConv{rank}D/dilation", one, lambda c=separable: c(3, 2, dilation_rate=2, activation="elu")
        )
    yield chain("SeparableConv1D/causal", STEPS, lambda: make.SeparableConv1D(3, 2, padding="causal"))


def pooling(k: Any) -> Iterator[Case]:
    make = k.layers
    for rank, one in BY_RANK.items():
        for kind in ("Max", "Average"):
            pool, whole = getattr(make, f"{kind}Pooling{rank}D"), getattr(make, f"Global{kind}Pooling{rank}D")
            name = f"{kind}Pooling{rank}D"
            yield chain(name, one, lambda c=pool: c(2))
            yield chain(f"{name}/strides, same", one, lambda c=pool: c(3, strides=2, padding="same"))
            yield chain(f"Global{name}", one, lambda c=whole: c())
            yield chain(f"Global{name}/keepdims", one, lambda c=whole: c(keepdims=True))
            yield chain(f"Global{name}/channels first", one, lambda c=whole: c(data_format="channels_first"))
        crop, pad, up = (getattr(make, f"{kind}{rank}D") for kind in ("Cropping", "ZeroPadding", "UpSampling"))
        yield chain(f"Cropping{rank}D", one, lambda c=crop: c(1))
        yield chain(f"ZeroPadding{rank}D", one, lambda c=pad: c(2))
        yield chain(f"UpSampling{rank}D", one, lambda c=up: c(2))
        drop = getattr(make, f"SpatialDropout{rank}D")
        yield chain(f"SpatialDropout{rank}D", one, lambda c=drop: c(0.3))
    yield chain("MaxPooling1D/channels first", STEPS, lambda: make.MaxPooling1D(2, data_format="channels_first"))
    yield chain("Cropping1D/two sides", STEPS, lambda: make.Cropping1D((1, 2)))
    yield chain("Cropping2D/four sides", IMAGE, lambda: make.Cropping2D(((1, 2), (0, 1))))
    yield chain("Cropping2D/channels first", IMAGE, lambda: make.Cropping2D(1, data_format="channels_first"))
    yield chain("Cropping3D/six sides", VOLUME, lambda: make.Cropping3D(((1, 2), (0, 1), (1, 0))))
    yield chain("ZeroPadding1D/two sides", STEPS, lambda: make.ZeroPadding1D((1, 2)))
    yield chain("ZeroPadding2D/four sides", IMAGE, lambda: make.ZeroPadding2D(((1, 2), (0, 3))))
    yield chain("ZeroPadding2D/channels first", IMAGE, lambda: make.ZeroPadding2D(1, data_format="channels_first"))
    yield chain("ZeroPadding3D/six sides", VOLUME, lambda: make.ZeroPadding3D(((1, 2), (0, 1), (1, 0))))
    yield chain("UpSampling2D/bilinear", IMAGE, lambda: make.UpSampling2D((2, 3), interpolation="bilinear"))
    for how in ("bicubic", "lanczos3", "lanczos5"):
        yield chain(f"UpSampling2D/{how}", IMAGE, lambda how=how: make.UpSampling2D(2, interpolation=how))
    yield chain("UpSampling2D/channels first", IMAGE, lambda: make.UpSampling2D(2, data_format="channels_first"))


def core(k: Any) -> Iterator[Case]:
    make = k.layers
    yield chain("Dense", In((5,)), lambda: make.Dense(3, activation="relu"))
    yield chain("Dense/no bias, many axes", IMAGE, lambda: make.Dense(3, use_bias=False))
    yield chain(
        "Dense/constraints",
        In((5,)),
        lambda: make.Dense(
            3, kernel_constraint=k.constraints.UnitNorm(axis=0), kernel_regularizer=k.regularizers.L2(0.1)
        ),
    )
    yield chain(
        "Dense/orthogonal regularizer",
        In((5,)),
        lambda: make.Dense(3, kernel_regularizer=k.regularizers.OrthogonalRegularizer(0.1)),
    )
    for name in (
        "Zeros",
        "Ones",
        "Constant",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "Orthogonal",
        "Identity",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "LecunNormal",
        "LecunUniform",
    ):
        fields = {} if name in ("Zeros", "Ones", "Constant", "Identity") else {"seed": 5}
        yield chain(
            f"Dense/initializer {name}",
            In((5,)),
            lambda name=name, fields=fields: make.Dense(3, kernel_initializer=getattr(k.initializers, name)(**fields)),
        )
    for equation, shape, bias in (
        ("abc,cd->abd", (None, 3), "d"),
        ("...x,xy->...y", 3, None),
        ("abc,bcd->abd", (9, 3), "bd"),
    ):
        yield chain(
            f"EinsumDense/{equation}",
            STEPS,
            lambda e=equation, s=shape, b=bias: make.EinsumDense(e, output_shape=s, bias_axes=b),
        )
    yield chain("Embedding", In((5,), "int"), lambda: make.Embedding(10, 3, embeddings_regularizer="l2"))
    yield chain(
        "Embedding/mask",
        In((5,), "int", steps=(2, 0, 3)),
        lambda: make.Embedding(10, 3, mask_zero=True),
        lambda: make.LSTM(2),
    )
    yield chain(
        "Embedding/mask, pooled",
        In((5,), "int", steps=(2, 0, 3)),
        lambda: make.Embedding(10, 3, mask_zero=True),
        lambda: make.GlobalAveragePooling1D(),
    )
    yield chain("Embedding/float indices", In((5,), "int", dtype="float32"), lambda: make.Embedding(10, 3))
    yield chain(
        "Masking", In((5, 4), steps=(2, 0, 3)), lambda: make.Masking(), lambda: make.LSTM(2, return_sequences=True)
    )
    yield chain("Masking/other value", In((5, 4), steps=(2, 0, 3)), lambda: make.Masking(0.5), lambda: make.GRU(2))
    yield chain("Reshape", IMAGE, lambda: make.Reshape((-1, 4)))
    yield chain("Permute", IMAGE, lambda: make.Permute((3, 1, 2)))
    yield chain("Flatten", IMAGE, lambda: make.Flatten())
    yield chain("Flatten/channels first", IMAGE, lambda: make.Flatten(data_format="channels_first"))
    yield chain("RepeatVector", In((5,)), lambda: make.RepeatVector(3))
    yield chain("Identity", In((5,)), lambda: make.Identity())
    yield chain("ActivityRegularization", In((5,)), lambda: make.ActivityRegularization(l1=0.1, l2=0.2))
    yield Case("InputLayer", (In((5,)), In((5,), "int")), lambda a, b: [make.Dense(2)(a), make.Embedding(10, 2)(b)])
    yield Case("InputLayer/an input that goes straight out", (In((5,)),), lambda a: [a, make.Dense(2)(a)])
    for name in ("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout"):
        yield chain(name, STEPS, lambda name=name: getattr(make, name)(0.3))
    yield chain("Dropout/noise shape, seed", STEPS, lambda: make.Dropout(0.3, noise_shape=(None, 1, 4), seed=3))


def norms(k: Any) -> Iterator[Case]:
    make = k.layers
    yield chain("BatchNormalization", IMAGE, lambda: make.BatchNormalization())
    yield chain("BatchNormalization/no scale", IMAGE, lambda: make.BatchNormalization(scale=False, epsilon=0.01))
    yield chain("BatchNormalization/no center", STEPS, lambda: make.BatchNormalization(center=False))
    yield chain("BatchNormalization/other axis", IMAGE, lambda: make.BatchNormalization(axis=1))
    yield chain(
        "BatchNormalization/axis in a list",
        IMAGE,
        lambda: make.BatchNormalization(axis=[3] if k.__name__ != "keras" else 3),
    )
    yield chain("BatchNormalization/frozen", IMAGE, lambda: make.BatchNormalization(trainable=False))
    yield chain(
        "BatchNormalization/constraints",
        IMAGE,
        lambda: make.BatchNormalization(beta_regularizer="l2", gamma_constraint="non_neg", gamma_initializer="zeros"),
    )
    yield chain("LayerNormalization", STEPS, lambda: make.LayerNormalization())
    yield chain(
        "LayerNormalization/axes",
        IMAGE,
        lambda: make.LayerNormalization(axis=[2, 3] if k.__name__ != "keras" else (2, 3), scale=False),
    )
    yield chain("LayerNormalization/one other axis", IMAGE, lambda: make.LayerNormalization(axis=1, center=False))
    yield chain("GroupNormalization", IMAGE, lambda: make.GroupNormalization(2))
    yield chain("GroupNormalization/per channel", IMAGE, lambda: make.GroupNormalization(-1, scale=False))
    yield chain("GroupNormalization/other axis", IMAGE, lambda: make.GroupNormalization(3, axis=1, center=False))
    yield chain("UnitNormalization", STEPS, lambda: make.UnitNormalization())
    yield chain("UnitNormalization/axes", IMAGE, lambda: make.UnitNormalization(axis=[1, 2]))
    yield chain("SpectralNormalization", STEPS, lambda: _spectral(k, make.Dense(3)))
    yield chain("SpectralNormalization/convolution", IMAGE, lambda: _spectral(k, make.Conv2D(3, 2), power_iterations=2))


def _spectral(k: Any, layer: Any, **fields: Any) -> Any:
    """tf-keras's class builds with the `InputSpec` of whatever `tf.keras` is; give it its own."""
    made = k.layers.SpectralNormalization(layer, **fields)
    if k.__name__ == "keras":
        return made
    from types import SimpleNamespace

    import tensorflow as tf
    import tf_keras.src.layers.normalization.spectral_normalization as module

    if not isinstance(module.tf, _Overlaid):
        module.tf = _Overlaid(tf, keras=SimpleNamespace(layers=SimpleNamespace(InputSpec=k.layers.InputSpec)))
    return made


class _Overlaid:
    def __init__(self, module: Any, **names: Any) -> None:
        self._module, self._names = module, names

    def __getattr__(self, name: str) -> Any:
        return self._names[name] if name in self._names else getattr(self._module, name)


def activations(k: Any) -> Iterator[Case]:
    make = k.layers
    names = [
        "elu",
        "exponential",
        "gelu",
        "hard_sigmoid",
        "linear",
        "mish",
        "relu",
        "selu",
        "sigmoid",
        "softmax",
        "softplus",
        "softsign",
        "swish",
        "tanh",
    ]
    for name in names:
        yield chain(f"Activation/{name}", STEPS, lambda name=name: make.Activation(name))
        yield chain(f"Dense/activation {name}", STEPS, lambda name=name: make.Dense(3, activation=name))
    yield chain("Activation/function", STEPS, lambda: make.Activation(k.activations.relu))
    yield chain("ReLU", STEPS, lambda: make.ReLU())
    yield chain("ReLU/all fields", STEPS, lambda: make.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.4))
    yield chain("ReLU/threshold below zero", STEPS, lambda: make.ReLU(threshold=0.3))
    yield chain("LeakyReLU", STEPS, lambda: make.LeakyReLU())
    yield chain("LeakyReLU/slope", STEPS, lambda: make.LeakyReLU(0.05))
    yield chain("ELU", STEPS, lambda: make.ELU(0.7))
    yield chain("PReLU", STEPS, lambda: make.PReLU())
    yield chain("PReLU/shared axes", IMAGE, lambda: make.PReLU(shared_axes=[1, 2], alpha_initializer="he_normal"))
    yield chain("Softmax", STEPS, lambda: make.Softmax())
    yield chain("Softmax/other axis", STEPS, lambda: make.Softmax(axis=1))
    yield chain("Softmax/axes", IMAGE, lambda: make.Softmax(axis=[1, 2] if k.__name__ != "keras" else (1, 2)))
    yield chain("Dense/activation layer", STEPS, lambda: make.Dense(3, activation=make.LeakyReLU(0.1)))


def merging(k: Any) -> Iterator[Case]:
    make = k.layers
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        yield Case(name, (STEPS, STEPS, STEPS), lambda *x, name=name: getattr(make, name)()(list(x)))
        yield Case(f"{name}/broadcast", (STEPS, In((1, 4))), lambda *x, name=name: getattr(make, name)()(list(x)))
    yield Case("Subtract", (STEPS, STEPS), lambda *x: make.Subtract()(list(x)))
    yield Case("Concatenate", (STEPS, STEPS), lambda *x: make.Concatenate()(list(x)))
    yield Case("Concatenate/other axis", (STEPS, In((3, 4))), lambda *x: make.Concatenate(axis=1)(list(x)))
    yield Case("Concatenate/one tensor twice", (STEPS,), lambda x: make.Concatenate()([x, x]))
    for axes in (1, 2, (1, 2), (2, 1), -1):
        second = {(1, 2): In((3, 9)), (2, 1): In((4, 3))}.get(axes, STEPS) if isinstance(axes, tuple) else STEPS
        yield Case(f"Dot/axes {axes}", (STEPS, second), lambda *x, axes=axes: make.Dot(axes=axes)(list(x)))
    yield Case("Dot/normalized", (In((5,)), In((5,))), lambda *x: make.Dot(axes=1, normalize=True)(list(x)))
    yield Case(
        "Concatenate/masks",
        (In((5,), "int", steps=(2, 0, 3)), In((5,), "int", steps=(1, 4, 0))),
        lambda a, b: make.LSTM(2)(
            make.Concatenate()([make.Embedding(10, 3, mask_zero=True)(a), make.Embedding(10, 2, mask_zero=True)(b)])
        ),
    )


def plain(k: Any) -> Iterator[Case]:
    for part in (convolutions, pooling, core, norms, activations, merging):
        yield from part(k)
