"""Cases of preprocessing layers: adapted, given, with vocabularies, random ones (which do nothing outside training)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.helpers.layer_cases.base import Case, In
from tests.helpers.layer_cases.plain import chain

PICTURE = In((9, 8, 3), "image")
WORDS = ("red", "green", "blue", "violet")
SENTENCES = ("the red fox, again!", "Blue; and green", "violet the the", "")
TEXT, SENTENCE, NUMBERS = In((1,), "text", words=WORDS), In((1,), "text", words=SENTENCES), In((3,), "int", limit=6)
KNOWN = ["green", "red", "blue"]


def adapted(layer: Any, *data: Any) -> Any:
    layer.adapt(*data)
    return layer


def numbers(k: Any) -> Iterator[Case]:
    make = k.layers
    rng = np.random.default_rng(0)
    table = rng.normal(2.0, 3.0, (50, 5)).astype("float32")
    images = rng.uniform(0, 255, (6, 9, 8, 3)).astype("float32")
    yield chain("Normalization", In((5,)), lambda: adapted(make.Normalization(), table))
    yield chain(
        "Normalization/given", In((5,)), lambda: make.Normalization(mean=[1.0, 2.0, 3.0, 4.0, 5.0], variance=[2.0] * 5)
    )
    yield chain("Normalization/numbers", In((5,)), lambda: make.Normalization(axis=None, mean=1.0, variance=2.0))
    yield chain("Normalization/adapted to images", PICTURE, lambda: adapted(make.Normalization(), images))
    yield chain("Normalization/no axis", In((5,)), lambda: adapted(make.Normalization(axis=None), table))
    yield chain(
        "Normalization/inverted", In((5,)), lambda: make.Normalization(mean=[1.0] * 5, variance=[2.0] * 5, invert=True)
    )
    yield chain("Rescaling", PICTURE, lambda: make.Rescaling(1 / 127.5, -1.0))
    yield chain("Rescaling/per channel", PICTURE, lambda: make.Rescaling([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]))
    for method in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        yield chain(f"Resizing/{method}", PICTURE, lambda m=method: make.Resizing(5, 6, interpolation=m))
    yield chain("Resizing/crop to aspect ratio", PICTURE, lambda: make.Resizing(4, 6, crop_to_aspect_ratio=True))
    yield chain("CenterCrop", PICTURE, lambda: make.CenterCrop(5, 4))
    yield chain("CenterCrop/larger", PICTURE, lambda: make.CenterCrop(12, 12))
    for name, arguments in {
        "RandomFlip": ("horizontal",),
        "RandomRotation": (0.2,),
        "RandomZoom": (0.2, 0.1),
        "RandomContrast": (0.2,),
        "RandomBrightness": (0.2,),
        "RandomTranslation": (0.1, 0.2),
        "RandomCrop": (5, 4),
    }.items():
        yield chain(name, PICTURE, lambda n=name, a=arguments: getattr(make, n)(*a))
    yield chain(
        "RandomRotation/fill",
        PICTURE,
        lambda: make.RandomRotation((-0.1, 0.2), fill_mode="constant", fill_value=3.0, interpolation="nearest", seed=3),
    )
    yield chain("RandomCrop/seed", PICTURE, lambda: make.RandomCrop(9, 8, seed=3))


def categories(k: Any) -> Iterator[Case]:
    make = k.layers
    for mode in ("multi_hot", "one_hot", "count"):
        one = In((1,), "int", limit=4) if mode == "one_hot" else In((3,), "int", limit=4)
        yield chain(f"CategoryEncoding/{mode}", one, lambda m=mode: make.CategoryEncoding(4, output_mode=m))
    yield chain("Discretization", In((5,)), lambda: make.Discretization([-0.5, 0.0, 0.5]))
    yield chain("Discretization/one_hot", In((1,)), lambda: make.Discretization([-0.5, 0.5], output_mode="one_hot"))
    yield chain(
        "Discretization/adapted",
        In((5,)),
        lambda: adapted(
            make.Discretization(num_bins=4), np.random.default_rng(1).normal(0, 1, (200, 5)).astype("float32")
        ),
    )
    yield chain("Hashing", TEXT, lambda: make.Hashing(5))
    yield chain("Hashing/salt", TEXT, lambda: make.Hashing(7, salt=[1, 2], mask_value="red"))
    yield chain("Hashing/numbers", NUMBERS, lambda: make.Hashing(5))
    yield Case("HashedCrossing", (TEXT, In((1,), "int")), lambda a, b: make.HashedCrossing(6)([a, b]))
    yield Case(
        "HashedCrossing/one_hot",
        (TEXT, In((1,), "int")),
        lambda a, b: make.HashedCrossing(6, output_mode="one_hot")([a, b]),
    )
    yield chain("IntegerLookup", NUMBERS, lambda: make.IntegerLookup(vocabulary=[4, 2, 3]))
    yield chain(
        "IntegerLookup/adapted, mask",
        NUMBERS,
        lambda: adapted(make.IntegerLookup(mask_token=0), np.array([[1, 2, 2], [3, 0, 1]])),
    )
    yield chain(
        "IntegerLookup/one_hot",
        In((1,), "int", limit=6),
        lambda: make.IntegerLookup(vocabulary=[4, 2, 3], output_mode="one_hot"),
    )
    yield chain(
        "IntegerLookup/many outside",
        NUMBERS,
        lambda: make.IntegerLookup(vocabulary=[4, 2], num_oov_indices=2, output_mode="multi_hot"),
    )
    yield chain("StringLookup", TEXT, lambda: make.StringLookup(vocabulary=KNOWN))
    yield chain(
        "StringLookup/adapted",
        TEXT,
        lambda: adapted(make.StringLookup(mask_token=""), np.array([["red"], ["blue"], ["red"]])),
    )
    yield chain(
        "StringLookup/inverted",
        In((3,), "int", limit=4, dtype="int64"),
        lambda: make.StringLookup(vocabulary=KNOWN, invert=True),
    )
    for mode in ("one_hot", "multi_hot", "count"):
        yield chain(f"StringLookup/{mode}", TEXT, lambda m=mode: make.StringLookup(vocabulary=KNOWN, output_mode=m))
    yield chain(
        "StringLookup/tf_idf",
        In((3,), "text", words=WORDS),
        lambda: make.StringLookup(vocabulary=KNOWN, idf_weights=[0.5, 0.6, 0.7], output_mode="tf_idf"),
    )
    yield chain("StringLookup/many outside", TEXT, lambda: make.StringLookup(vocabulary=KNOWN, num_oov_indices=3))
    yield chain(
        "StringLookup/then Embedding", TEXT, lambda: make.StringLookup(vocabulary=KNOWN), lambda: make.Embedding(4, 3)
    )
    yield chain(
        "TextVectorization",
        SENTENCE,
        lambda: make.TextVectorization(vocabulary=["the", "red", "blue"], output_sequence_length=4),
    )
    yield chain(
        "TextVectorization/adapted",
        SENTENCE,
        lambda: adapted(make.TextVectorization(max_tokens=8), np.array(["the red the fox", "blue"])),
    )
    for mode in ("multi_hot", "count"):
        yield chain(
            f"TextVectorization/{mode}",
            SENTENCE,
            lambda m=mode: make.TextVectorization(vocabulary=["the", "red", "blue"], output_mode=m),
        )
    yield chain(
        "TextVectorization/tf_idf",
        SENTENCE,
        lambda: adapted(make.TextVectorization(output_mode="tf_idf"), np.array(["the red the fox", "blue"])),
    )
    yield chain(
        "TextVectorization/ngrams, lower",
        SENTENCE,
        lambda: make.TextVectorization(
            vocabulary=["the", "red", "the red"], ngrams=2, standardize="lower", output_sequence_length=6
        ),
    )
    yield chain(
        "TextVectorization/characters",
        SENTENCE,
        lambda: make.TextVectorization(
            vocabulary=["a", "e", "r"], split="character", standardize=None, output_sequence_length=8
        ),
    )


def preprocessing(k: Any) -> Iterator[Case]:
    yield from numbers(k)
    yield from categories(k)
