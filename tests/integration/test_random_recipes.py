"""Random models under random recipes, judged edit by edit by oracles that know nothing of the engine.

A recipe of one to four edits is drawn; what the plan offers as a fix may be taken. After each edit the model is
written, opened by plain Keras, and held against the model before that edit.
"""

import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.engine.planner import Planned
from core.errors import RecipeError
from core.model.plan import Plan
from core.recipes.gestures import apply_fix
from core.recipes.recipe import Recipe
from tests.core.engine.drive import opened, recipe
from tests.helpers.contracts import fields as contract_fields
from tests.helpers.contracts import kind as contract_kind
from tests.helpers.models import seed_weights
from tests.helpers.oracles import ORACLES, drawn, off, run
from tests.helpers.random_models import random_edit, random_model

EXACT = 1e-5
SEEDS = [*range(200), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(200, 2000))]


def trial(seed: int, folder: Path) -> str:
    """One model under one recipe, to the end; what was done, in words."""
    model = random_model(seed)
    seed_weights(model, calibrate=False)
    source = folder / "source.keras"
    model.save(source)
    planner = opened(source)
    rng = random.Random(seed)
    steps, before = Recipe(), keras.saving.load_model(source, compile=False)
    done: list[str] = []
    planned = planner.planned(steps)
    known = [(planned.shaped, before)]
    wanted = rng.choice([1, 2, 3, 4])
    for _ in range(3 * wanted):
        if len(done) == wanted:
            break
        paths = [path for path, one in planned.plan.graph.walk() if not one.is_input]
        if not paths:
            break  # all that is left is an input
        edit = random_edit(rng, _image(planned.plan), paths)
        try:
            grown = settled(planner, Recipe(edits=(*steps.edits, *recipe(edit).edits)), rng)
            if grown is None:
                continue
            new = planner.planned(grown)
        except RecipeError:
            continue  # one sentence, and the recipe stays as it was
        label = f"seed {seed}: {[one.summary() for one in grown.edits]}"
        out = folder / f"{len(done)}.keras"
        written = planner.apply(grown, out, check=len(done) == wanted - 1)
        after = keras.saving.load_model(out, compile=False)
        judge(edit, new, known, before, after, label)
        known.append((new.shaped, after))
        account(new.plan, model, after, label)
        if not done and edit["do"] == "change_input" and len(grown.edits) == 1:
            native(seed, edit, model, after, label)
        if written.verification is not None:
            assert written.verification.ok, f"{label}: {written.verification}"
        steps, planned, before = grown, new, after
        done.append(edit["do"])
    return " ".join(done)


def _image(plan: Plan) -> tuple[int | None, ...]:
    ports = [port for port in plan.inputs if port.name.startswith("image")] or list(plan.inputs)
    return (ports[0].shape or ())[1:]


def settled(planner: Any, steps: Recipe, rng: random.Random) -> Recipe | None:
    """The recipe with fixes taken until nothing is wrong; every fix must settle the finding that offers it."""
    for _ in range(6):
        wrong = [finding for finding in planner.plan(steps).findings if finding.severity == "error"]
        if not wrong:
            return steps
        if not wrong[0].fixes:
            return None
        fix = rng.choice(wrong[0].fixes)
        steps = apply_fix(steps, fix.edits)
        after = planner.plan(steps)
        assert wrong[0].message not in [one.message for one in after.findings], (wrong[0].message, fix.title)
    return None


def judge(
    edit: dict[str, Any], new: Planned, known: list[tuple[Any, Any]], before: Any, after: Any, label: str
) -> None:
    """Every contract that is called exact holds between the models that it speaks of."""
    for stage in new.stages:
        if stage.after.shaped is not new.shaped:
            continue
        old = next(model for shaped, model in known if shaped is stage.before.shaped)
        for claim in stage.contracts:
            drift = ORACLES[contract_kind(claim)](contract_fields(claim), old, after) if claim.exact else 0.0
            assert drift <= EXACT, f"{label}: {claim.name} is called exact and off by {drift:.2g}"
    if edit["do"] in ("rename_layer", "set_trainable"):
        given = drawn(before)
        assert off(run(after, given), run(before, given)) <= EXACT, label
    for value, port in zip(run(after, drawn(after)), new.plan.outputs, strict=True):
        assert np.all(np.isfinite(value)), f"{label}: {port.name} is not finite"
        assert all(want in (None, got) for want, got in zip((port.shape or ())[1:], value.shape[1:], strict=True)), (
            label
        )


def account(plan: Plan, source: Any, after: Any, label: str) -> None:
    """Every array of the source ends somewhere, every new weight has a fate, and copies are copies bit for bit."""
    assert after.count_params() == plan.after.params, label
    assert sum(int(np.prod(one.shape)) for one in after.trainable_weights) == plan.after.trainable_params, label
    ends = {fate.source for fate in plan.fates if fate.source} | {name for name, _ in plan.merged} | {*plan.dropped}
    assert len(ends) == len(source.weights), (
        f"{label}: {len(source.weights)} arrays, of which {len(ends)} are accounted for"
    )
    stored = {_bits(one) for one in source.weights}
    made = [_bits(one) for one in after.weights]
    # a wrapper may list a variable of the layer inside once more
    copies = len({fate.source for fate in plan.fates if fate.fate == "copied" and "seed" not in fate.weight})
    assert sum(one in stored for one in made) >= copies, f"{label}: not every copied array is in the result"
    assert not any(fate.fate == "mismatched" for fate in plan.fates), label
    told = "\n".join(f"{finding.message}\n{finding.detail}" for finding in plan.findings)
    fresh = [fate.weight for fate in plan.fates if fate.fate == "initialized" and "seed_generator" not in fate.weight]
    untold = [name for name in (*fresh, *plan.dropped) if name not in told]
    assert not untold, f"{label}: {untold} start anew or are dropped, untold"


def _bits(variable: Any) -> tuple[tuple[int, ...], bytes]:
    value = np.asarray(variable)
    return value.shape, value.tobytes()


def native(seed: int, edit: dict[str, Any], source: Any, after: Any, label: str) -> None:
    """At another size, the model is what Keras builds at that size from the same weights."""
    shape = tuple(edit["shape"])
    if shape[-1] != source.inputs[0].shape[-1]:
        return
    other = random_model(seed, shape)
    for mine, theirs in zip(after.weights, other.weights, strict=True):
        theirs.assign(mine)
    given = drawn(after)
    assert off(run(after, given), run(other, given)) <= EXACT, f"{label}: not what Keras builds at this size"


@pytest.mark.parametrize("seed", SEEDS)
def test_that_no_random_recipe_makes_a_false_promise(seed: int, tmp_path: Path) -> None:
    assert trial(seed, tmp_path) is not None
