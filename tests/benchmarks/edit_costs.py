"""What every edit and every freeze preset costs, at any number of layers: recipes for the models of `chains`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.model.graph import Graph
from core.recipes import gestures
from core.recipes.recipe import Recipe
from tests.benchmarks import chains

Recipes = dict[str, tuple[dict[str, Any], ...]]
MODELS: dict[str, Callable[[Path, int], Path]] = {
    "convolutions": chains.conv_chain,
    "nested": chains.nested_chain,
    "branches": chains.branching,
    "fan": chains.fan,
    "wrapped": chains.wrapped_chain,
    "words": chains.words_chain,
}


def edit_recipes(path: str, graph: Graph) -> Iterator[tuple[str, Recipe]]:
    """Recipes by what they are called: one for each edit that the model has something for, and the freeze presets."""
    kinds: dict[str, list[str]] = {}
    for one, layer in graph.walk():
        kinds.setdefault(layer.class_name, []).append(one)
    if "StringLookup" in kinds:
        yield "keep_words", _recipe({"do": "keep_words", "vocabulary": ["word_3", "word_1", "another"]})
        return
    if "SpectralNormalization" in kinds:
        yield "fold_weights", _recipe({"do": "fold_weights"})
        return
    if len(graph.consumers()[graph.input_refs()[0]]) > 1:
        change = {"do": "change_input", "shape": [24, 24, 1]}
        yield "change_input", _recipe(change)
        yield "change_input twice", _recipe(change, {"do": "change_input", "shape": [24, 24, 4]})
        return
    yield from _edits(path, graph, kinds)
    yield from _presets(graph, kinds)


def _recipe(*edits: dict[str, Any]) -> Recipe:
    return Recipe(edits=tuple(gestures.make_edit(edit.pop("do"), **edit) for edit in map(dict, edits)))


def _edits(path: str, graph: Graph, kinds: dict[str, list[str]]) -> Iterator[tuple[str, Recipe]]:
    def middle(names: list[str]) -> str:
        return names[len(names) // 2]

    relu, conv = middle(kinds["ReLU"]), middle(kinds["Conv2D"])
    top = middle([layer.name for layer in graph.layers])
    held = [one for one, layer in graph.walk() if layer.weights]
    fresh = {"do": "set_rule", "weight": "classes/kernel", "rule": "initialize"}
    front = _config("Conv2D", filters=3, kernel_size=1)
    table: Recipes = {
        "accept_losses": (fresh, {"do": "accept_losses", "initialized": ["classes/*"], "dropped": ["classes/*"]}),
        "attach_head": ({"do": "remove_head"}, {"do": "attach_head", "classes": 5}),
        "change_classes": ({"do": "change_classes", "classes": 5, "old_classes": 3},),
        "change_input": ({"do": "change_input", "shape": [24, 24, 1]},),
        "cut_at": ({"do": "cut_at", "layers": [top]},),
        "data_format": ({"do": "data_format", "to": "channels_first"},),
        "drop_training_only": ({"do": "drop_training_only", "kinds": ["dropout"]},),
        "fold_batch_norm": ({"do": "fold_batch_norm"},),
        "inflate": ({"do": "inflate", "shape": [8, 16, 16, 3]},),
        "insert_adapter": ({"do": "insert_adapter", "shape": [32, 32, 3], "fit": "resize"},),
        "insert_front": ({"do": "insert_front", "shape": [16, 16, 4], "layers": [front]},),
        "insert_layer": ({"do": "insert_layer", "layer": relu, "config": _config("Dropout", rate=0.1)},),
        "join_models": ({"do": "join_models", "file": path, "how": "parallel"},),
        "remove_head": ({"do": "remove_head"},),
        "remove_layer": ({"do": "remove_layer", "layer": relu},),
        "rename_layer": ({"do": "rename_layer", "layer": relu, "name": "renamed"},),
        "replace_all": ({"do": "replace_all", "match": {"class_name": "ReLU"}, "with": _config("ELU")},),
        "replace_first_conv": ({"do": "replace_first_conv", "kernel_size": 5},),
        "replace_first_conv, widen": ({"do": "replace_first_conv", "filters": 16, "filters_rule": "widen"},),
        "replace_layer": ({"do": "replace_layer", "layer": conv, "config": {"kernel_size": [5, 5]}},),
        "set_batch": ({"do": "set_batch", "batch": 4},),
        "set_dtype": ({"do": "set_dtype", "policy": "mixed_float16"},),
        "set_rule": (fresh,),
        "start_at": ({"do": "start_at", "layers": [top]},),
        **{
            f"transfer_weights by {match}": ({"do": "transfer_weights", "file": path, "match": match},)
            for match in ("name", "order", "shape")
        },
        "transfer_weights by pairs": (
            {"do": "transfer_weights", "file": path, "match": "pairs", "pairs": [[one, one] for one in held]},
        ),
    }  # fmt: skip
    missing = {"data_format": "Conv2D", "drop_training_only": "Dropout"}
    for name, edits in table.items():
        if missing.get(name, "ReLU") in kinds:
            yield name, _recipe(*edits)


def _config(class_name: str, **fields: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": fields}


def _presets(graph: Graph, kinds: dict[str, list[str]]) -> Iterator[tuple[str, Recipe]]:
    """The recipes that the buttons of the Freeze panel make."""
    held = [one for one, layer in graph.walk() if layer.weights]
    empty = Recipe()
    everything = gestures.freeze_all(empty, [], frozen=True)
    yield "freeze: one layer", gestures.set_frozen(empty, [held[len(held) // 2]], True)
    yield "freeze: all but the head", gestures.freeze_all(empty, held[-1:], frozen=True)
    yield "freeze: all but the last 3", gestures.freeze_all(empty, held[-3:], frozen=True)
    yield "freeze: all but BatchNormalization", gestures.set_batch_norm(everything, "trainable")
    yield "freeze: BatchNormalization always", gestures.set_batch_norm(everything, "frozen")
    yield "freeze: unfreeze all", gestures.freeze_all(empty, [], frozen=False)
    yield "freeze: a pattern", gestures.set_frozen(empty, ["*conv_*"], True)
    yield "freeze: each by name", gestures.set_frozen(empty, held, True)
