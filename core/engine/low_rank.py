"""Layers with a low-rank update (LoRA): Keras stores their weights with the update added, as those of a plain layer.

Built with the update on, a layer hands its saving code a sum that is none of its variables.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from core.model.graph import Graph, Layer, Weight
from core.surgery.quantized import policy_name

_UPDATE = ("lora_rank", "lora_alpha")
_FROZEN = frozenset({"kernel", "embeddings"})


def has_update(layer: Layer) -> bool:
    """Whether a layer has an update beside its weights: the arrays of the graph hold the sum already."""
    return layer.config.get("lora_rank") is not None and not policy_name(layer.config).startswith(("int", "float8"))


def without_update(layer: Layer) -> Layer:
    """The plain layer with the same arrays."""
    if not has_update(layer):
        return layer
    config: dict[str, Any] = {key: value for key, value in layer.config.items() if key not in _UPDATE}
    return replace(layer, config=config)


def without_updates(graph: Graph) -> Graph:
    """The graph with plain layers in place of those with an update."""
    return graph.replace_layers(lambda _, layer: without_update(layer))


def beside_update(weights: tuple[Weight, ...]) -> tuple[Weight, ...]:
    """The weights of a plain layer as one with an update has them: what is updated does not train itself."""
    return tuple(replace(one, trainable=one.trainable and one.name not in _FROZEN) for one in weights)


@contextlib.contextmanager
def update_apart(layer: Any) -> Iterator[None]:
    """Keras's saving code meets the layer's own variables for as long as the block lasts, not their sums."""
    live = [one for one in layer._flatten_layers() if getattr(one, "lora_enabled", False)]
    for one in live:
        one.lora_enabled = False
    try:
        yield
    finally:
        for one in live:
            one.lora_enabled = True
