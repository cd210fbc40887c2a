"""Random models under random recipes, held against plain Keras: what is planned is what comes out."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.errors import RecipeError
from core.model.plan import Plan
from core.recipes.recipe import Recipe, from_json, to_json
from tests.core.engine.drive import assert_verified, engine, outputs, random_input, recipe
from tests.helpers.models import seed_weights
from tests.helpers.oracles import drawn, off, run
from tests.helpers.random_models import random_edit, random_model

SEEDS = range(8)


def opened(seed: int, folder: Path) -> tuple[Engine, Path]:
    """The engine at work on the file of the seed's model."""
    model = random_model(seed)
    seed_weights(model, calibrate=False)
    source = folder / "source.keras"
    model.save(source)
    engine().set_source(read_model(source))
    return engine(), source


def settled(planner: Engine, steps: Recipe, rng: random.Random) -> Recipe | None:
    """The recipe with fixes taken until nothing is wrong; every fix must settle the finding that offers it."""
    for _ in range(6):
        wrong = [finding for finding in planner.plan(steps).findings if finding.severity == "error"]
        if not wrong:
            return steps
        if not wrong[0].fixes:
            return None
        for fix in wrong[0].fixes:
            after = planner.plan(Recipe(edits=(*steps.edits, *fix.edits)))
            assert wrong[0].message not in [one.message for one in after.findings], (wrong[0].message, fix.title)
        steps = Recipe(edits=(*steps.edits, *rng.choice(wrong[0].fixes).edits))
    return None


def check_written(plan: Plan, path: Path, source: Any) -> Any:
    """The written model, opened by plain Keras, has what the plan says, and what is called copied is."""
    model = keras.saving.load_model(path, compile=False)
    assert model.count_params() == plan.after.params
    assert sum(int(np.prod(one.shape)) for one in model.trainable_weights) == plan.after.trainable_params
    assert [tuple(one.shape) for one in model.outputs] == [port.shape for port in plan.outputs]
    assert [tuple(one.shape) for one in model.inputs] == [port.shape for port in plan.inputs]
    for value, port in zip(outputs(model, random_input(model)), plan.outputs, strict=True):
        assert all(size in (None, got) for size, got in zip((port.shape or ())[1:], value.shape[1:], strict=True))
    for fate in plan.fates:
        if fate.fate == "copied" and "/" not in fate.weight.partition("/")[2] and fate.source:
            new, old = (variable(one, path) for one, path in ((model, fate.weight), (source, fate.source)))
            if new is not None and old is not None:
                np.testing.assert_array_equal(new, old)
    return model


def variable(model: Any, path: str) -> Any:
    """The variable `layer/name` of a layer at the top."""
    layer, _, name = path.partition("/")
    return next((one for one in model.get_layer(layer).variables if one.path.rpartition("/")[2] == name), None)


@pytest.mark.parametrize("seed", SEEDS)
def test_that_a_random_recipe_gives_what_its_plan_says(seed: int, tmp_path: Path) -> None:
    planner, source = opened(seed, tmp_path)
    before = hashlib.sha256(source.read_bytes()).digest()
    original = keras.saving.load_model(source, compile=False)
    rng = random.Random(seed)
    steps = Recipe()
    for _ in range(rng.choice([2, 3])):
        plan = planner.plan(steps)
        paths = [path for path, layer in plan.graph.walk() if not layer.is_input]
        edit = random_edit(rng, (plan.inputs[0].shape or ())[1:], paths)
        trial = Recipe(edits=(*steps.edits, *recipe(edit).edits))
        try:
            found = settled(planner, trial, rng)
        except RecipeError:
            continue  # one sentence, and the recipe stays as it was
        steps = found or steps
    plan = planner.plan(steps)
    written = planner.apply(steps, tmp_path / "out.keras")
    assert_verified(written.verification)
    check_written(plan, tmp_path / "out.keras", original)
    assert from_json(to_json(steps)) == steps
    again = Engine()
    again.set_source(read_model(source))
    assert again.plan(from_json(to_json(steps))) == plan
    assert hashlib.sha256(source.read_bytes()).digest() == before


@pytest.mark.parametrize("seed", SEEDS)
def test_that_another_size_is_what_keras_builds_at_that_size(seed: int, tmp_path: Path) -> None:
    planner, source = opened(seed, tmp_path)
    *sizes, channels = keras.saving.load_model(source, compile=False).inputs[0].shape[1:]
    shape = (*(size + 5 for size in sizes), channels)
    steps = recipe({"do": "change_input", "input": "image", "shape": list(shape)})
    plan = planner.plan(steps)
    native = random_model(seed, shape)
    wrong = [finding for finding in plan.findings if finding.severity == "error"]
    assert {finding.code for finding in wrong} <= {"weight.mismatch"}
    assert [tuple(one.shape) for one in native.outputs] == [port.shape for port in plan.outputs]
    if wrong:
        return
    planner.apply(steps, tmp_path / "out.keras", check=False)
    model = keras.saving.load_model(tmp_path / "out.keras", compile=False)
    for mine, theirs in zip(model.weights, native.weights, strict=True):
        theirs.assign(mine)
    given = drawn(model)
    assert off(run(model, given), run(native, given)) <= 1e-5


def test_that_a_recipe_is_what_its_steps_are_one_file_after_the_other(tmp_path: Path) -> None:
    edits = [
        {"do": "change_input", "shape": [15, 14, 1]},
        {"do": "replace_first_conv", "kernel_size": 5},
        {"do": "replace_first_conv", "filters": 9, "filters_rule": "widen"},
        {"do": "insert_adapter", "shape": [18, 18, 1], "fit": "crop"},
        {"do": "rename_layer", "layer": "stem", "name": "first"},
    ]
    keras.backend.clear_session()
    conv, norm = keras.layers.Conv2D(6, 3, padding="same", name="stem"), keras.layers.BatchNormalization()
    body = [conv, norm, keras.layers.ReLU(), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((12, 12, 3)), *body, keras.layers.Dense(3)])
    seed_weights(model)
    source = tmp_path / "source.keras"
    model.save(source)
    planner = Engine()
    planner.set_source(read_model(source))
    planner.apply(from_json(json.dumps({"suture": 1, "edits": edits})), tmp_path / "whole.keras")
    for number, edit in enumerate(edits):
        step = Engine()
        step.set_source(read_model(source if number == 0 else tmp_path / f"{number}.keras"))
        step.apply(recipe(edit), tmp_path / f"{number + 1}.keras", check=False)
    whole = keras.saving.load_model(tmp_path / "whole.keras", compile=False)
    steps = keras.saving.load_model(tmp_path / f"{len(edits)}.keras", compile=False)
    assert [layer.name for layer in whole.layers] == [layer.name for layer in steps.layers]
    for mine, theirs in zip(whole.weights, steps.weights, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-6, atol=1e-7)
