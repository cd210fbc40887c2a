"""The third face of a recipe beside window and command line: a Python program that does the same, and trains on.

Layers come out of surgery with weights of different worth, so the program also groups them for learning rates of their
own: new ones learn at full rate, adapted and copied ones (from whichever file) more slowly (as in discriminative
fine-tuning, Howard and Ruder 2018, section 3.1). Keras 3 has one rate per optimizer; its `update_step` is where a
group's share comes in.
"""

import json
from collections.abc import Sequence
from string import Template

from core.model.plan import Plan
from core.readers.source import Source
from core.recipes.recipe import Recipe, to_json

RATES = {"initialized": 1.0, "adapted": 0.3, "copied": 0.1}
"""Shares of the learning rate by fate, strongest first: a layer belongs to the first that one of its weights has."""

_PROGRAM = Template('''\
"""$title

Made by Suture, which it needs: run it where Suture is installed or in its folder. `adapt` writes the new model and
checks it with Keras; the source file is never overwritten.
"""

from core.engine.api import Engine
from core.analysis.opening import read_model
from core.recipes.recipe import from_json

import keras

SOURCE = $source
WEIGHTS = $weights
CODE = $code  # Python files that define the model's classes; they are run
TRUST = $trust  # whether code stored in the model may run
OUT = $out
RECIPE = r"""
$recipe"""

# Layers grouped by what happened to their weights, and each group's share of the learning rate; frozen layers excluded.
RATES = $rates
GROUPS = $groups


def adapt():
    """Write the new model and return it, loaded by Keras."""
    engine = Engine()
    engine.set_source(read_model(SOURCE, weights=WEIGHTS), CODE, TRUST)
    written = engine.apply(from_json(RECIPE), OUT, check=True)
    if not written.verification.ok:
        raise SystemExit(f"{OUT} failed verification ({written.verification.reason}); kept as {written.written}.")
    return keras.saving.load_model(OUT)


def shares(model):
    """The share of the learning rate of each trainable variable, by the variable's identity."""
    groups = {path: RATES[name] for name, paths in GROUPS.items() for path in paths}
    found = {}

    def visit(level, prefix):
        for layer in level.layers:
            path = prefix + layer.name
            if isinstance(layer, keras.Model):
                visit(layer, path + "/")
                continue
            here = [share for name, share in groups.items() if name == path or name.startswith(path + "/")]
            found.update((id(variable), max(here, default=1.0)) for variable in layer.trainable_variables)

    visit(model, "")
    return found


class GroupedAdam(keras.optimizers.Adam):
    """Adam with a share of the learning rate for each group of layers."""

    def __init__(self, model, learning_rate=1e-3, **settings):
        super().__init__(learning_rate, **settings)
        self.shares = shares(model)

    def update_step(self, gradient, variable, learning_rate):
        whole = self._trainable_variables[self._get_variable_index(variable)]  # the backend's own variable comes in
        super().update_step(gradient, variable, learning_rate * self.shares.get(id(whole), 1.0))


if __name__ == "__main__":
    adapted = adapt()
    adapted.summary()
    # adapted.compile(GroupedAdam(adapted, 1e-3), loss=..., metrics=[...])
    # adapted.fit(...)
''')


def python_script(
    source: Source, recipe: Recipe, plan: Plan, out: str, code: Sequence[str] = (), trust: bool = False
) -> str:
    """The program as text. `plan` is that of `recipe` on `source`; `code` and `trust` are what it was made with."""
    active = Recipe(edits=tuple(recipe.active()))
    steps = "; ".join(edit.summary() for edit in active.edits) or "unchanged"
    title = f"{_name(source.path)} to {_name(out)}: {steps}".replace("\\", "/").replace('"""', "'''")
    return _PROGRAM.substitute(
        title=title,
        source=repr(source.path),
        weights=repr(source.weights_path),
        code=repr(list(code)),
        trust=repr(trust),
        out=repr(out),
        recipe=to_json(active),
        rates=json.dumps(RATES, indent=4),
        groups=json.dumps(groups(plan), indent=4, ensure_ascii=False),
    )


def groups(plan: Plan) -> dict[str, list[str]]:
    """Paths of the layers that train, by the group of `RATES` they belong to."""
    best: dict[str, str] = {}
    order = list(RATES)
    for fate in plan.fates:
        kind = "copied" if fate.as_stored else fate.fate
        if kind not in RATES or not fate.trainable:
            continue
        layer = fate.weight.rpartition("/")[0]
        known = best.get(layer)
        if known is None or order.index(kind) < order.index(known):
            best[layer] = kind
    return {name: [path for path, fate in best.items() if fate == name] for name in order}


def _name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
