"""Every layer class of Keras 3.15, in cases that Keras itself can build and save."""

from collections.abc import Iterator
from typing import Any

from tests.helpers.layer_cases.base import Case, In
from tests.helpers.layer_cases.plain import IMAGE, STEPS, VOLUME, chain, plain
from tests.helpers.layer_cases.preprocessing import PICTURE, preprocessing
from tests.helpers.layer_cases.recurrent import remembering

NO_MODEL = {
    "Layer": "the base class of all others; it computes nothing",
    "Wrapper": "the base class of wrappers; it computes nothing",
    "InputSpec": "not a layer: describes what a layer accepts",
    "FlaxLayer": "holds code of another library",
    "JaxLayer": "holds code of another library",
    "TorchModuleWrapper": "holds code of another library",
    "TFSMLayer": "refers to a SavedModel beside the file",
    "Equalization": "Keras itself takes it for a cycle in a Functional model",
    "MaxNumBoundingBoxes": "acts on dictionaries of images and boxes, which no Functional model of tensors has",
    "MixUp": "acts on dictionaries of images and labels in training",
    "CutMix": "acts on dictionaries of images and labels in training",
}
"""Classes of Keras 3 that are in no model of tensors, with the reason."""

_OLD_ONLY = frozenset(
    {"RandomCrop", "SeparableConv1D/causal", "BatchNormalization/axis in a list", "TextVectorization/tf_idf"}
)


EXPECTED: dict[str, tuple[str, str]] = {
    "RandomShear": ("cannot", "Keras rejects the settings of random_shear"),
    **{
        f"{name} [h5]": ("unwritten", "")
        for name in (
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomPosterization",
            "RandomSaturation",
            "RandomSharpness",
            "Solarization",
        )
    },
    **{
        f"{name} [h5]": ("cannot", "learned its vocabulary")
        for name in ("IntegerLookup/adapted, mask", "StringLookup/adapted", "TextVectorization/adapted")
    },
}
"""What comes out where not all is equal. Keras 3.15 cannot read the RandomShear that it wrote itself."""


def cases(k: Any) -> Iterator[Case]:
    """Every case, for Keras 3."""
    for part in (plain, remembering, preprocessing):
        yield from (case for case in part(k) if case.name not in _OLD_ONLY)
    yield from newer(k)
    yield from images(k)
    yield from operations(k)


def newer(k: Any) -> Iterator[Case]:
    make = k.layers
    sizes = {1: (STEPS, 3), 2: (IMAGE, (3, 2)), 3: (VOLUME, (3, 2, 2))}
    for rank, (one, size) in sizes.items():
        for kind in ("Average", "Max"):
            layer = getattr(make, f"Adaptive{kind}Pooling{rank}D")
            yield chain(f"Adaptive{kind}Pooling{rank}D", one, lambda c=layer, s=size: c(s))
    yield chain("RMSNormalization", STEPS, lambda: make.RMSNormalization())
    yield chain("ReversibleEmbedding", In((5,), "int"), lambda: make.ReversibleEmbedding(10, 3))
    yield chain(
        "ReversibleEmbedding/not tied", In((5,), "int"), lambda: make.ReversibleEmbedding(10, 3, tie_weights=False)
    )
    yield Case("GroupQueryAttention", (In((4, 8)), In((5, 8))), lambda q, v: make.GroupQueryAttention(4, 4, 2)(q, v))
    yield Case(
        "GroupQueryAttention/no bias", (In((4, 8)),), lambda x: make.GroupQueryAttention(4, 4, 2, use_bias=False)(x, x)
    )
    yield chain(
        "STFTSpectrogram",
        In((256, 1)),
        lambda: make.STFTSpectrogram(mode="log", frame_length=64, frame_step=32, fft_length=64),
    )
    yield chain(
        "STFTSpectrogram/real",
        In((256, 1)),
        lambda: make.STFTSpectrogram(mode="real", frame_length=64, frame_step=32, fft_length=64),
    )
    yield chain(
        "MelSpectrogram",
        In((1024,)),
        lambda: make.MelSpectrogram(
            fft_length=256, sequence_stride=128, num_mel_bins=16, sampling_rate=4000, max_freq=2000.0
        ),
    )
    yield chain("BatchNormalization/renorm", IMAGE, lambda: make.BatchNormalization(renorm=True))
    yield chain("Dense/lora", In((5,)), lambda: make.Dense(3, lora_rank=2))
    yield chain("Dense/mixed_float16", In((5,)), lambda: make.Dense(3, dtype="mixed_float16"), tolerance=2e-3)
    yield chain("Lambda", STEPS, lambda: make.Lambda(lambda x: x / 255.0))


def images(k: Any) -> Iterator[Case]:
    """Random image layers do nothing outside training; the others always act."""
    make = k.layers
    factors: dict[str, tuple[Any, ...]] = {
        "AugMix": ((0, 255),),
        "AutoContrast": (),
        "RandAugment": ((0, 255),),
        "RandomErasing": (),
        "RandomColorDegeneration": (0.2,),
        "RandomColorJitter": ((0, 255), 0.2),
        "RandomElasticTransform": (),
        "RandomGaussianBlur": (),
        "RandomGrayscale": (),
        "RandomHue": (0.2,),
        "RandomInvert": (),
        "RandomPerspective": (),
        "RandomPosterization": (4,),
        "RandomSaturation": (0.2,),
        "RandomSharpness": (0.2,),
        "RandomShear": (0.2,),
        "Solarization": (),
        "ContrastLimitedAdaptiveHistogramEqualization": (),
    }
    for name, arguments in factors.items():
        yield chain(name, PICTURE, lambda n=name, a=arguments: getattr(make, n)(*a))
    yield chain("Pipeline", PICTURE, lambda: make.Pipeline([make.Rescaling(0.5), make.CenterCrop(4, 4)]))
    yield chain("Resizing/pad to aspect ratio", PICTURE, lambda: make.Resizing(4, 8, pad_to_aspect_ratio=True))


def operations(k: Any) -> Iterator[Case]:
    ops = k.ops
    yield Case("ops/arithmetic", (STEPS,), lambda x: (x + 1.0) * 2.0 - x / 3.0)
    yield Case("ops/slices", (STEPS,), lambda x: [x[:, 1:], x[:, 0], x[..., None]])
    yield Case("ops/shapes", (STEPS,), lambda x: ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, 36)))
    yield Case(
        "ops/joined",
        (STEPS, STEPS),
        lambda a, b: [ops.concatenate([a, b], axis=1), ops.matmul(a, ops.transpose(b, (0, 2, 1)))],
    )
    yield Case(
        "ops/reductions", (STEPS,), lambda x: [ops.mean(x, axis=1), ops.max(x, axis=(1, 2)), ops.argmax(x, axis=-1)]
    )


def public_classes(k: Any) -> set[str]:
    """Every layer class of `keras.layers`, under the name that files have."""
    listed = (getattr(k.layers, name) for name in dir(k.layers))
    saved = {"GroupedQueryAttention": "GroupQueryAttention"}
    return {saved.get(one.__name__, one.__name__) for one in listed if isinstance(one, type)}
