"""Weights that start at random values in layers that never train: they would stay noise for good. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from core.analysis.fates import Move
from core.edits import SetTrainable
from core.findings import Finding, Fix
from core.model.graph import Layer
from core.rules.initialize import LAYER, Initialize
from core.rules.initializers import canonical

_KNOWN_VALUES = frozenset({"zeros", "ones", "constant", "identity", "identity_initializer"})
_DRAWN = ("kernel", "embeddings")
"""Last parts of the names of weights that Keras draws at random where a config names no initializer."""


def frozen_start_findings(moves: Iterable[Move], layers: Mapping[str, Layer]) -> list[Finding]:
    """One finding for all layers whose weights are drawn at random and frozen; the fix trains these layers."""
    noise = [
        move
        for move in moves
        if move.fate.fate == "initialized" and not move.fate.trainable and _drawn(move, layers[move.layer])
    ]
    if not noise:
        return []
    paths = tuple(dict.fromkeys(move.layer for move in noise))
    if len(paths) == 1:
        message = f"{paths[0]} has weights that start at random values but are frozen, so they are never trained."
    else:
        message = f"{len(paths)} layers have weights that start at random values but are frozen (first: {paths[0]})."
    fix = Fix("Train these layers", (SetTrainable(layers=paths, trainable=True),))
    return [Finding("warning", "freeze.fresh", paths[0], message, (fix,), "\n".join(m.fate.weight for m in noise))]


def _drawn(move: Move, layer: Layer) -> bool:
    """Whether a weight's first values are random numbers: as its rule says, else as the layer's own initializer."""
    rule = next((one for one in move.rules if isinstance(one, Initialize)), None)
    if rule is not None and rule.initializer != LAYER:
        return canonical(rule.initializer) not in _KNOWN_VALUES
    last = move.name.rpartition("/")[2]
    own: Any = layer.config.get(f"{last}_initializer")
    if own is None:
        return last.endswith(_DRAWN)
    name = own.get("class_name") if isinstance(own, dict) else own
    return isinstance(name, str) and canonical(name) not in _KNOWN_VALUES
