"""The planner's memory: whatever was asked before, the answer is that of a planner that was asked nothing before."""

import pickle
from pathlib import Path
from typing import Any

import keras
import msgspec
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.engine.planner import Planner
from core.errors import EditError, RecipeError
from core.model.plan import Plan
from core.recipes.recipe import Recipe
from tests.core.engine.drive import opened, plan, recipe, saved
from tests.core.engine.small_models import MODELS, build, model_file
from tests.helpers.models import application

STEPS: list[dict[str, Any]] = [
    {"do": "change_input", "shape": [64, 64, 1]},
    {"do": "change_input", "shape": [161, 97, 3]},
    {"do": "change_input", "shape": [None, None, 3]},
    {"do": "change_input", "shape": [64, 64, 5], "channels": "zero_extra"},
    {"do": "replace_first_conv", "kernel_size": 5},
    {"do": "replace_first_conv", "filters": 24, "kernel_size": 7, "batch_norm": True},
    {"do": "set_trainable", "layers": ["block_1_*"], "trainable": False},
    {"do": "set_rule", "weight": "predictions/kernel", "rule": "initialize"},
]


def test_that_a_plan_after_many_edits_is_the_plan_of_a_fresh_planner() -> None:
    path = application("MobileNetV2", alpha=0.35, input_shape=(96, 96, 3))
    source = read_model(path)
    busy = Engine()
    busy.set_source(source)
    recipes = [[one] for one in STEPS] + [[STEPS[0], other] for other in STEPS[4:]]
    recipes += [STEPS[1:2] + STEPS[4:7], STEPS[4:6], [], [STEPS[5], STEPS[0]], [STEPS[0], STEPS[5]]]
    fresh = [Planner(source).plan(recipe(*steps)) for steps in recipes]
    for steps, expected in (*zip(recipes, fresh, strict=True), *reversed(list(zip(recipes, fresh, strict=True)))):
        assert busy.plan(recipe(*steps)) == expected


def test_that_a_refused_edit_leaves_the_planner_as_it_was(tmp_path: Path) -> None:
    source = model_file("residual")
    engine = opened(source)
    first = recipe({"do": "change_input", "shape": [20, 20, 1]})
    before = engine.plan(first)
    with pytest.raises(RecipeError, match="edit 2"):
        engine.plan(
            recipe({"do": "change_input", "shape": [20, 20, 1]}, {"do": "replace_first_conv", "layer": "nowhere"})
        )
    assert engine.plan(first) == before


def test_that_switched_off_edits_do_nothing(tmp_path: Path) -> None:
    source = model_file("residual")
    off = {"do": "change_input", "shape": [20, 20, 1], "enabled": False}
    assert plan(source, off) == plan(source)


@pytest.mark.parametrize("name", MODELS)
def test_that_plans_are_the_same_each_time_and_cross_process_borders(name: str, tmp_path: Path) -> None:
    path = model_file(name)
    first = Planner(read_model(path)).planned(Recipe())
    second = Planner(read_model(path)).planned(Recipe())
    assert first.plan == second.plan
    assert first.moves == second.moves
    assert pickle.loads(pickle.dumps(first.plan)) == first.plan
    assert pickle.loads(pickle.dumps(first)) == first


def test_that_a_plan_is_json(tmp_path: Path) -> None:
    found = plan(model_file("nested"), {"do": "change_input", "shape": [20, 20, 1]})
    again = msgspec.json.decode(msgspec.json.encode(found))
    assert again["ok"] is found.ok
    assert isinstance(found, Plan)


def test_that_every_weight_of_the_source_has_a_fate_or_is_dropped(tmp_path: Path) -> None:
    for name in MODELS:
        path = model_file(name)
        source = read_model(path)
        planner = Planner(source)
        named = {f"{layer}/{weight.name}" for layer, one in source.graph.walk() for weight in one.weights}
        found = planner.plan(Recipe())
        assert named == {fate.source for fate in found.fates} | set(found.dropped)
        assert {fate.fate for fate in found.fates} == {"copied"}
        assert found.dropped == ()


def test_that_arrays_which_a_rule_reads_count_as_merged_and_not_as_dropped(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="fc")])
    model.get_layer("fc").quantize("int8")
    path = saved(model, tmp_path)
    found = plan(path, {"do": "set_dtype", "policy": "float32"})
    assert found.merged == (("fc/kernel_scale", "fc/kernel"),)
    assert found.dropped == ()
    anew = plan(
        path, {"do": "set_dtype", "policy": "float32"}, {"do": "set_rule", "weight": "fc/kernel", "rule": "initialize"}
    )
    assert anew.merged == ()
    assert set(anew.dropped) == {"fc/kernel", "fc/kernel_scale"}


def test_that_what_trains_is_what_keras_would_train(tmp_path: Path) -> None:
    for name in ("frozen_parts", "frozen_base", "nested", "random_parts", "texts"):
        model = build(name)
        found = plan(saved(model, tmp_path, f"{name}.keras"))
        counted = sum(1 for fate in found.fates if fate.trainable)
        assert counted == len(model.trainable_weights), name


@pytest.mark.parametrize(
    "part", ["core.edits.rename_layer.RenameLayer.apply", "core.engine.shaping.refuse_layers"], ids=["edit", "gate"]
)
def test_that_an_edit_refused_at_any_point_is_named_by_its_number(
    part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any) -> Any:
        raise EditError("This cannot be.")

    monkeypatch.setattr(part, refuse)
    source = saved(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="a")]), tmp_path)
    with pytest.raises(RecipeError, match=r"edit 2 \(rename_layer\): This cannot be") as caught:
        plan(
            source,
            {"do": "accept_losses", "dropped": ["nothing"]},
            {"do": "rename_layer", "layer": "a", "name": "b"},
        )
    assert caught.value.fields["edit"] == 2
