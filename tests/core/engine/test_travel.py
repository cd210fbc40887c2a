"""A plan arrives whole although only what differs from the source's plan is sent."""

import pickle
from pathlib import Path
from typing import Any

import keras
import pytest
from msgspec.structs import replace

from core.model.graph import Call, Layer, TensorRef
from core.model.plan import Cost, Plan
from core.recipes.recipe import Recipe
from core.service.travel import PackedPlan, pack, unpack
from tests.core.engine.drive import opened, recipe, saved


def _model() -> Any:
    inside = keras.Sequential(
        [keras.Input((16, 16, 4)), keras.layers.Conv2D(4, 3, padding="same"), keras.layers.BatchNormalization()],
        name="body",
    )
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="stem")(keras.layers.ZeroPadding2D(8)(image))
    x = keras.layers.Add(name="join")([inside(x), inside(x)])
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(3, name="head")(x))


EDITS: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "size": [{"do": "change_input", "shape": [24, 32, 3]}],
    "channels": [{"do": "change_input", "shape": [16, 16, 5]}],
    "gray and frozen": [
        {"do": "change_input", "shape": [16, 16, 1]},
        {"do": "set_trainable", "layers": ["stem"], "trainable": False},
    ],
    "renamed": [{"do": "rename_layer", "layer": "stem", "name": "first"}],
    "no head": [{"do": "remove_head"}],
    "too small": [{"do": "change_input", "shape": [2, 2, 3]}],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(_model(), tmp_path_factory.mktemp("travel"))


def _sent(plan: Plan, base: Plan) -> tuple[PackedPlan, Plan, Plan]:
    """What is sent, the base as the window has it, and the plan there."""
    there = pickle.loads(pickle.dumps(base))
    packed = pickle.loads(pickle.dumps(pack(plan, base)))
    return packed, there, unpack(packed, there)


@pytest.mark.parametrize("name", EDITS)
def test_that_a_plan_arrives_as_it_was_made(source: Path, name: str) -> None:
    engine = opened(source)
    base = engine.plan(Recipe())
    plan = engine.plan(recipe(*EDITS[name]))
    _, _, arrived = _sent(plan, base)
    assert arrived == plan
    assert list(arrived.costs) == list(plan.costs)


def test_that_what_an_edit_leaves_alone_is_neither_sent_nor_made_anew(source: Path) -> None:
    engine = opened(source)
    base = engine.plan(Recipe())
    packed, there, arrived = _sent(engine.plan(recipe(*EDITS["size"])), base)
    assert all(isinstance(fate, int) for fate in packed.fates)
    text = pickle.dumps(packed)
    assert b"kernel_initializer" not in text
    pairs = zip(arrived.graph.walk(), there.graph.walk(), strict=True)
    assert all(new.weights is old.weights for (_, new), (_, old) in pairs)
    kept = [new is old for new, old in zip(arrived.graph.layers, there.graph.layers, strict=True)]
    assert kept[-1]  # behind the pooling, shapes are the same at every size
    same = _sent(base, base)
    assert same[2].graph is same[1].graph


def test_that_changes_of_every_kind_arrive(source: Path) -> None:
    base = opened(source).plan(Recipe())
    layers = base.graph.layers
    again = Layer("again", "ReLU", calls=(Call((TensorRef("head"),)),))
    other = replace(layers[1], calls=(Call((TensorRef("elsewhere"),)),), trainable=False)
    body = next(layer for layer in layers if layer.inner is not None)
    assert body.inner is not None
    folded = replace(body, inner=replace(body.inner, name="folded", layers=body.inner.layers[::-1]))
    hollow = replace(body, name=layers[-1].name, inner=None)
    graph = replace(base.graph, name="changed", layers=(again, other, folded, hollow, *layers[:1]))
    plan = replace(base, graph=graph, costs={"again": Cost(1, 2, None, 4)}, fates=base.fates[::-1])
    assert _sent(plan, base)[2] == plan
