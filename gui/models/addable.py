"""Layers that can be put in, grouped and searched, and a first guess at the arguments that a class asks for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.layers.descriptions import LayerClass
from core.model.graph import Shape

TITLES = {
    "convolutional": "Convolution",
    "core": "Core",
    "pooling": "Pooling",
    "normalization": "Normalization",
    "activations": "Activation",
    "regularization": "Regularization",
    "reshaping": "Shape",
    "rnn": "Recurrent",
    "attention": "Attention",
    "preprocessing": "Preprocessing",
    "other": "Other",
}
"""Families in the order in which they are listed; those with several inputs have no place on one edge."""
MIME = "application/x-suture-layer"


def grouped(classes: Iterable[LayerClass], search: str = "") -> list[tuple[str, list[LayerClass]]]:
    """Families and their classes, those that match what is searched for in name, purpose or family."""
    words = search.lower().split()
    found: dict[str, list[LayerClass]] = {title: [] for title in TITLES.values()}
    for one in classes:
        title = TITLES.get(one.family)
        text = f"{one.name} {one.text} {title}".lower()
        if title is not None and all(word in text for word in words):
            found[title].append(one)
    groups = [(title, sorted(some, key=lambda one: one.name)) for title, some in found.items() if some]
    if words:  # what is called so comes before what is only described so
        groups.sort(key=lambda group: not any(words[0] in one.name.lower() for one in group[1]))
    return groups


def asks(one: LayerClass) -> bool:
    """Whether a class has arguments that nobody but the person can know."""
    return any(argument.required for argument in one.arguments)


def guessed(one: LayerClass, shape: Shape | None) -> dict[str, Any] | None:
    """Arguments that leave a tensor's shape alone where that can be; `None` where there is no sensible guess."""
    width = shape[-1] if shape else None
    values: Mapping[str, Any] = {
        "filters": width or 16,
        "units": width or 16,
        "kernel_size": 3,
        "rate": 0.2,
        "stddev": 0.1,
        "factor": 0.1,
        "n": 1,
        "num_heads": 2,
        "key_dim": max(1, (width or 32) // 2),
        "size": 2,
        "epsilon": 1e-3,
    }
    config: dict[str, Any] = {}
    for argument in one.arguments:
        if argument.required and argument.name not in values:
            return None
        if argument.required:
            config[argument.name] = values[argument.name]
        elif argument.name == "padding" and one.family == "convolutional":
            config["padding"] = "same"
    return config


def place_words(after: str, before: str) -> str:
    """Where a layer goes, in words."""
    return f"between {after} and {before}" if before else f"after {after}"


def names(groups: Sequence[tuple[str, list[LayerClass]]]) -> list[str]:
    """The classes of all groups, in order."""
    return [one.name for _, some in groups for one in some]
