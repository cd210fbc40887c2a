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

from core.engine.api import Engine
from core.engine.planner import Planned
from core.errors import RecipeError
from core.recipes.gestures import apply_fix
from core.recipes.recipe import Recipe
from tests.core.engine.drive import opened, recipe
from tests.helpers.contracts import fields as contract_fields
from tests.helpers.contracts import kind as contract_kind
from tests.helpers.models import seed_weights
from tests.helpers.oracles import ORACLES, drawn, off, retyped, run
from tests.helpers.random_models import random_model
from tests.helpers.random_recipes import PRECISE, drawn_edit

EXACT = 1e-5
ROUNDS = 10.0
"""How many times the old model's own rounding two models together may show."""
Known = dict[str, Any]
"""Models by the recipe that makes them, as text."""
SEEDS = [*range(200), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(200, 2000))]


def trial(seed: int, folder: Path) -> str:
    """One model under one recipe, to the end; what was done, in words."""
    model = random_model(seed)
    seed_weights(model, calibrate=False)
    source = folder / "source.keras"
    model.save(source)
    planner = opened(source)
    rng = random.Random(seed)
    steps, before = Recipe(), model
    done: list[str] = []
    planned = planner.planned(steps)
    known: Known = {str(steps): before}
    wanted = rng.choice([1, 2, 3, 4])
    for _ in range(3 * wanted):
        if len(done) == wanted:
            break
        if all(one.is_input for _, one in planned.plan.graph.walk()):
            break  # all that is left is an input
        edit = drawn_edit(rng, planned.plan, folder)
        try:
            grown = settled(planner, Recipe(edits=(*steps.edits, *recipe(edit).edits)), rng)
            if grown is None:
                continue
            new = planner.planned(grown)
        except RecipeError:
            continue  # one sentence, and the recipe stays as it was
        label = f"seed {seed}: {[one.summary() for one in grown.edits]}"
        out = folder / f"{len(done)}.keras"
        last = len(done) == wanted - 1 or imprecise(edit)
        written = planner.apply(grown, out, check=last)
        assert written.verification is None or written.verification.ok, f"{label}: {written.verification}"
        after = keras.saving.load_model(out, compile=False)
        known[str(grown)] = after
        judge(edit, new, Stages(planner, grown, known, folder), before, after, label)
        account(new, model, after, label)
        if not done and edit["do"] == "change_input" and len(grown.edits) == 1:
            native(seed, edit, model, after, label)
        steps, planned, before = grown, new, after
        done.append(edit["do"])
        if imprecise(edit):
            break  # no contract is exact to 1e-5 any more
    return " ".join(done)


def imprecise(edit: dict[str, Any]) -> bool:
    """Whether the model computes in less than single precision from now on."""
    return edit["do"] == "set_dtype" and edit["policy"] not in PRECISE


class Stages:
    """The models between the edits of a recipe, written as they are asked for."""

    def __init__(self, planner: Engine, steps: Recipe, known: Known, folder: Path) -> None:
        self.planner, self.steps, self.known, self.folder = planner, steps, known, folder

    def model(self, shaped: Any) -> Any:
        """The model whose graph is `shaped`: after so many of the recipe's edits."""
        for count in range(len(self.steps.edits) - 1, -1, -1):
            part = Recipe(edits=self.steps.edits[:count])
            if self.planner.planned(part).shaped is shaped:
                if str(part) not in self.known:  # a fix came in ahead of the edit
                    out = self.folder / f"between{len(self.known)}.keras"
                    self.planner.apply(part, out, check=False)
                    self.known[str(part)] = keras.saving.load_model(out, compile=False)
                return self.known[str(part)]
        raise AssertionError("a contract speaks of a model that no part of the recipe makes")


def settled(planner: Engine, steps: Recipe, rng: random.Random) -> Recipe | None:
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


def judge(edit: dict[str, Any], new: Planned, models: Stages, before: Any, after: Any, label: str) -> None:
    """Every contract that is called exact holds between the models that it speaks of."""
    for stage in new.stages:
        if stage.after.shaped is not new.shaped:
            continue
        old = models.model(stage.before.shaped)
        for claim in stage.contracts:
            fields = {**contract_fields(claim), "steps": models.steps.edits}
            drift = ORACLES[contract_kind(claim)](fields, old, after) if claim.exact else 0.0
            if drift > EXACT:
                drift = in_double(contract_kind(claim), fields, old, after, drift)
            assert drift <= EXACT, f"{label}: {claim.name} is called exact and off by {drift:.2g}"
    if edit["do"] in ("rename_layer", "set_trainable"):
        given = drawn(before)
        assert off(run(after, given), run(before, given)) <= EXACT, label
    if edit["do"] == "set_dtype":
        precise(edit, before, after, label)
    for value, port in zip(run(after, drawn(after)), new.plan.outputs, strict=True):
        assert np.all(np.isfinite(value)), f"{label}: {port.name} is not finite"
        assert all(want in (None, got) for want, got in zip((port.shape or ())[1:], value.shape[1:], strict=True)), (
            label
        )


def in_double(kind: str, fields: dict[str, Any], old: Any, new: Any, drift: float) -> float:
    """The drift in double precision, which rounds in no digit that counts; as it was where rounding explains it not.

    What rounding does is measured at both models.
    """
    exact = [retyped(model, "float64", "*") for model in (old, new)]
    pairs = zip((old, new), exact, strict=True)
    rounding = max(off(run(one, drawn(one)), run(two, drawn(one))) for one, two in pairs)
    return ORACLES[kind](fields, *exact) if drift <= ROUNDS * rounding else drift


def precise(edit: dict[str, Any], before: Any, after: Any, label: str) -> None:
    """Under another policy, the model is what Keras makes of it by itself."""
    name, policy = edit["layers"][0], edit["policy"]
    given = drawn(before)
    if policy in PRECISE:
        assert off(run(after, given), run(before, given)) <= EXACT, label
    if "/" in name:
        return
    other = retyped(before, policy, name)
    for mine, theirs in zip(after.weights, other.weights, strict=True):
        # constants such as sqrt(1 + epsilon) are made in double precision here, and from single precision by Keras
        kept = "float32" if policy == "float64" else None
        assert _bits(mine, kept) == _bits(theirs, kept), f"{label}: {mine.path} is not what Keras makes of it"
    assert off(run(after, given), run(other, given)) <= EXACT, label


def account(planned: Planned, source: Any, after: Any, label: str) -> None:
    """Every array of the source ends somewhere, every new weight has a fate, and copies are copies bit for bit."""
    plan = planned.plan
    assert after.count_params() == plan.after.params, label
    assert sum(int(np.prod(one.shape)) for one in after.trainable_weights) == plan.after.trainable_params, label
    joined = {move.fate.weight for move in planned.moves if move.source is not None and move.source.file}
    own = [fate for fate in plan.fates if fate.weight not in joined]
    ends = {fate.source for fate in own if fate.source} | {name for name, _ in plan.merged} | {*plan.dropped}
    assert len(ends) == len(source.weights), (
        f"{label}: {len(source.weights)} arrays, of which {len(ends)} are accounted for"
    )
    dtypes = {str(one.dtype) for one in after.weights}
    stored = {_bits(one, dtype) for one in source.weights for dtype in {*dtypes, str(one.dtype)}}
    made = [_bits(one) for one in after.weights]
    # a wrapper may list a variable of the layer inside once more
    copies = len({fate.source for fate in own if fate.fate == "copied" and "seed" not in fate.weight})
    assert sum(one in stored for one in made) >= copies, f"{label}: not every copied array is in the result"
    assert not any(fate.fate == "mismatched" for fate in plan.fates), label
    told = "\n".join(f"{finding.message}\n{finding.detail}" for finding in plan.findings)
    fresh = [fate.weight for fate in plan.fates if fate.fate == "initialized" and "seed_generator" not in fate.weight]
    untold = [name for name in (*fresh, *plan.dropped) if name not in told]
    assert not untold, f"{label}: {untold} start anew or are dropped, untold"


def _bits(variable: Any, dtype: str | None = None) -> tuple[tuple[int, ...], bytes]:
    value = np.asarray(variable)
    value = value if dtype is None else value.astype(dtype)
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
