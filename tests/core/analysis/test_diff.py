"""Two files side by side: which layer is which, and what of it differs. The oracle is how the models were made."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from msgspec.structs import replace

from core.analysis.alignment import align
from core.analysis.diff import Difference, compare
from core.analysis.opening import read_model
from core.engine.api import Engine
from core.model.graph import Graph, TensorRef, map_leaves
from core.recipes.gestures import make_edit
from core.recipes.recipe import Recipe
from tests.benchmarks.chains import chain
from tests.helpers.models import architecture

Model = Any


def difference(a: Model, b: Model, folder: Path, tolerance: float = 0.0) -> Difference:
    """What `suture diff` says of two models."""
    paths = [folder / "a.keras", folder / "b.keras"]
    for model, path in zip((a, b), paths, strict=True):
        model.save(path)
    one, other = map(read_model, paths)
    return compare(one, other, lambda *_: None, tolerance)


def residual(prefix: str = "", blocks: int = 3, channels: int = 3, seed: int = 0) -> Model:
    """A small network of named residual blocks."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    x = image = keras.Input((8, 8, channels), name=f"{prefix}image")
    x = layers.Conv2D(4, 3, padding="same", name=f"{prefix}stem")(x)
    for number in range(blocks):
        y = layers.Conv2D(4, 3, padding="same", name=f"{prefix}block{number}_conv")(x)
        y = layers.BatchNormalization(name=f"{prefix}block{number}_norm")(y)
        y = layers.ReLU(name=f"{prefix}block{number}_relu")(y)
        x = layers.Add(name=f"{prefix}block{number}_add")([x, y])
    x = layers.GlobalAveragePooling2D(name=f"{prefix}pool")(x)
    return keras.Model(image, layers.Dense(5, name=f"{prefix}classes")(x))


def counted(first: int, *widths: int) -> Model:
    """Dense layers whose names Keras counts, from `dense_{first}` on."""
    x = begin = keras.Input((6,), name="input_layer")
    for number, width in enumerate(widths, first):
        x = keras.layers.Dense(width, name=f"dense_{number}" if number else "dense")(x)
    return keras.Model(begin, x)


def test_that_a_model_with_all_layers_renamed_differs_in_names_alone(tmp_path: Path) -> None:
    one, other = residual(), residual("other_")
    other.set_weights(one.get_weights())
    found = difference(one, other, tmp_path)
    assert len(found.renamed) == len(one.layers)
    assert all(pair.b == f"other_{pair.a}" for pair in found.renamed)
    assert (found.changed, found.only_a, found.only_b) == ((), (), ())
    assert found.equal_weights == len(one.weights)


def test_that_one_more_layer_in_the_middle_shifts_no_counted_name(tmp_path: Path) -> None:
    one, other = counted(0, 4, 4, 4, 2), counted(0, 7, 4, 4, 4, 2)
    one.layers[2].set_weights([np.eye(4), np.zeros(4)])
    other.layers[3].set_weights([np.eye(4), np.zeros(4)])
    found = difference(one, other, tmp_path)
    # the first kernels differ in their rows, all others go on by one
    assert [(pair.a, pair.b) for pair in found.renamed] == [
        ("dense_1", "dense_2"),
        ("dense_2", "dense_3"),
        ("dense_3", "dense_4"),
    ]
    assert "dense_1" not in [one.name for one in found.changed if one.a == one.b]


def test_that_a_layer_taken_out_of_a_row_of_like_ones_is_found_by_its_name(tmp_path: Path) -> None:
    names = ["first", "second", "third", "fourth"]
    models = []
    for left in (names, [name for name in names if name != "second"]):
        x = begin = keras.Input((4,), name="x")
        for name in left:
            x = keras.layers.Dense(4, name=name)(x)
        models.append(keras.Model(begin, x))
    found = difference(models[0], models[1], tmp_path)
    assert [one.layer for one in found.only_a] == ["second"]
    assert found.only_b == ()
    assert found.renamed == ()


def _graph(model: Model | str) -> Graph:
    """The model, or what `to_json` said of it, as the reader sees it, without its arrays."""
    text = model if isinstance(model, str) else model.to_json()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        path.write_text(text, encoding="utf-8")
        return read_model(path).graph


def test_that_a_deeper_network_shares_the_blocks_that_both_have() -> None:
    graphs = [_graph(residual(blocks=blocks)) for blocks in (3, 5)]
    found = align(*graphs)
    assert all(pair.a == pair.b for pair in found.pairs)
    assert found.only_a == ()
    assert {path.split("_")[0] for path in found.only_b} == {"block3", "block4"}


@pytest.mark.parametrize("deep", ["ResNet101", "ResNet152"])
def test_that_resnet50_and_its_deeper_kin_align_in_their_common_blocks(deep: str) -> None:
    one, other = (_graph(architecture(name, include_top=False)) for name in ("ResNet50", deep))
    found = align(one, other)
    assert [pair.a for pair in found.pairs] == [layer.name for layer in one.layers]
    assert [pair.a for pair in found.pairs if pair.renamed and "input_layer" not in pair.a] == []
    assert len(found.only_b) == len(other.layers) - len(one.layers)


def test_that_nested_layers_are_found_under_another_name_of_their_model(tmp_path: Path) -> None:
    inner = residual()
    models = []
    for name in ("backbone", "body"):
        copy = keras.models.clone_model(inner)
        copy.set_weights(inner.get_weights())
        copy.name = name
        models.append(keras.Sequential([keras.Input((8, 8, 3)), copy, keras.layers.Dense(2, name="top")]))
    models[1].layers[-1].set_weights(models[0].layers[-1].get_weights())
    found = difference(models[0], models[1], tmp_path)
    assert ("backbone/stem", "body/stem") in [(pair.a, pair.b) for pair in found.renamed]
    assert (found.changed, found.only_a, found.only_b) == ((), (), ())


def test_that_distances_are_those_of_numpy(tmp_path: Path) -> None:
    one, other = residual(), residual()
    kernel, bias = one.get_layer("stem").get_weights()
    noise = np.random.default_rng(0).normal(0, 0.01, kernel.shape).astype(np.float32)
    other.get_layer("stem").set_weights([kernel + noise, bias])
    (pair,) = difference(one, other, tmp_path).layers
    (weight,) = pair.weights
    gap = (kernel + noise).astype(np.float64) - kernel
    assert (pair.a, weight.name) == ("stem", "kernel")
    assert weight.norm_a == pytest.approx(np.linalg.norm(kernel.astype(np.float64)), rel=1e-9)
    assert weight.distance == pytest.approx(np.linalg.norm(gap), rel=1e-9)
    assert weight.relative == pytest.approx(np.linalg.norm(gap) / np.linalg.norm(kernel.astype(np.float64)), rel=1e-6)
    assert weight.largest == pytest.approx(np.abs(gap).max(), rel=1e-9)
    wide = difference(one, other, tmp_path, tolerance=0.1)
    assert wide.same
    assert wide.close_weights == 1


def test_that_another_order_of_the_layers_is_told(tmp_path: Path) -> None:
    models = []
    for order in (("left", "right"), ("right", "left")):
        image = keras.Input((4,), name="x")
        ends = {name: keras.layers.Dense(3, name=name, kernel_initializer="ones")(image) for name in order}
        models.append(keras.Model(image, keras.layers.Concatenate(name="both")([ends[name] for name in order])))
    found = difference(models[0], models[1], tmp_path)
    assert set(found.reordered) == {"left", "right"}
    assert (found.only_a, found.only_b) == ((), ())
    assert [(one.a, change.what) for one in found.changed for change in one.fields] == [("both", "inbound")]


SURGERIES: dict[str, tuple[Callable[[], Model], tuple[dict[str, Any], ...]]] = {
    "gray": (residual, ({"do": "change_input", "shape": [8, 8, 1]},)),
    "kernel": (residual, ({"do": "replace_first_conv", "kernel_size": 5},)),
    "classes": (residual, ({"do": "remove_head"}, {"do": "attach_head", "classes": 7})),
    "removed": (residual, ({"do": "remove_layer", "layer": "block1_relu"},)),
    "renamed": (residual, ({"do": "rename_layer", "layer": "stem", "name": "first"},)),
    "anew": (residual, ({"do": "set_rule", "weight": "classes/kernel", "rule": "initialize"},)),
    "counted": (lambda: counted(0, 4, 4, 4, 2), ({"do": "change_classes", "classes": 3, "old_classes": 2},)),
    "out of a row": (lambda: counted(0, 4, 4, 4, 4, 2), ({"do": "remove_layer", "layer": "dense_2"},)),
}


@pytest.mark.parametrize("surgery", SURGERIES)
def test_that_source_and_result_differ_in_exactly_what_the_plan_says(surgery: str, tmp_path: Path) -> None:
    make, edits = SURGERIES[surgery]
    make().save(tmp_path / "source.keras")
    engine = Engine()
    engine.set_source(read_model(tmp_path / "source.keras"))
    steps = Recipe(edits=tuple(make_edit(**edit) for edit in edits))
    plan = engine.plan(steps)
    engine.apply(steps, tmp_path / "result.keras", False)
    found = compare(read_model(tmp_path / "source.keras"), read_model(tmp_path / "result.keras"), lambda *_: None)
    of_both = {pair.b: pair for pair in found.layers}
    alone_a = {f"{one.layer}/{name}" for one in found.only_a for name in one.weights}
    alone_b = {f"{one.layer}/{name}" for one in found.only_b for name in one.weights}
    anew = {fate.weight for fate in plan.fates if fate.fate == "initialized"}
    assert alone_a == set(plan.dropped) - anew
    listed = {f"{pair.b}/{one.name}" for pair in of_both.values() for one in pair.weights} | alone_b
    assert listed == {fate.weight for fate in plan.fates if fate.fate in ("adapted", "initialized", "merged")}
    assert found.equal_weights == sum(fate.fate == "copied" for fate in plan.fates)


def test_that_a_long_chain_with_other_names_aligns(tmp_path: Path) -> None:
    graph = read_model(chain(tmp_path / "chain.keras", 2_000)).graph

    def moved(ref: TensorRef) -> TensorRef:
        return replace(ref, layer=f"n_{ref.layer}")

    layers = tuple(
        replace(
            layer,
            name=f"n_{layer.name}",
            calls=tuple(replace(call, args=map_leaves(moved, call.args)) for call in layer.calls),
        )
        for layer in graph.layers
    )
    found = align(graph, replace(graph, layers=layers))
    assert len(found.pairs) == len(graph.layers)
    assert all(pair.b == f"n_{pair.a}" for pair in found.pairs)
