"""The Python program that a recipe becomes: run as a stranger would, and held against the model that `apply` writes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.writers.scripts import groups, python_script
from tests.core.engine.drive import applied, opened, planned, recipe
from tests.helpers.blockers import ROOT

EDITS = [
    {"do": "change_input", "shape": [32, 32, 1]},
    {"do": "remove_head"},
    {"do": "attach_head", "classes": 3, "hidden": [], "dropout": 0},
    {"do": "set_trainable", "layers": ["backbone/block1_*"], "trainable": False},
]


@pytest.fixture(scope="module")
def made(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program, and what it wrote and printed when run on its own."""
    folder = tmp_path_factory.mktemp("it's a folder")
    source = samples / "digits_nested.keras"
    found = planned(source, *EDITS)
    text = python_script(opened(source).planner.source, recipe(*EDITS), found.plan, str(folder / "new.keras"))
    (folder / "adapt.py").write_text(text, encoding="utf-8")
    command = [sys.executable, str(folder / "adapt.py")]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "summary.txt").write_text(done.stdout, encoding="utf-8")
    return folder


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def test_that_the_program_writes_what_apply_writes(made: Path, samples: Path, tmp_path: Path) -> None:
    _, new = applied(samples / "digits_nested.keras", tmp_path / "new.keras", *EDITS)
    found = keras.saving.load_model(made / "new.keras")
    assert len(found.weights) == len(new.weights)
    for one, other in zip(found.weights, new.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "Total params" in (made / "summary.txt").read_text(encoding="utf-8")


def test_that_layers_are_grouped_by_the_strongest_fate_of_their_weights(samples: Path) -> None:
    found = groups(planned(samples / "digits_nested.keras", *EDITS).plan)
    assert found["adapted"] == ["backbone/conv1"]
    assert len(found["initialized"]) == 1
    assert "backbone/block2_expand" in found["copied"]
    assert not any("block1" in path for paths in found.values() for path in paths)


def test_that_each_group_learns_at_its_share_of_the_rate(made: Path) -> None:
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile((made / "adapt.py").read_text(encoding="utf-8"), "adapt.py", "exec"), names)
    model = keras.saving.load_model(made / "new.keras")
    before = {id(one): one.numpy().copy() for one in model.trainable_variables}
    rate = 1e-3
    model.compile(names["GroupedAdam"](model, rate), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(2)
    model.fit(rng.random((16, 32, 32, 1), np.float32), rng.integers(0, 3, 16), epochs=1, batch_size=16, verbose=0)
    moved = {}
    for path, name in (("backbone/conv1", "adapted"), ("backbone/block2_expand", "copied")):
        layer: Any = model
        for part in path.split("/"):
            layer = layer.get_layer(part)
        moved[name] = np.abs(np.asarray(layer.kernel) - before[id(layer.kernel)]).max()
    head = model.layers[-1]
    moved["initialized"] = np.abs(np.asarray(head.kernel) - before[id(head.kernel)]).max()
    # the first step of Adam is the rate itself wherever there is a gradient (Kingma and Ba 2015, section 2.1)
    for name, share in names["RATES"].items():
        np.testing.assert_allclose(moved[name], rate * share, rtol=0.02)


def test_that_the_command_prints_the_program_and_nothing_else(samples: Path, cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text('{"suture": 1, "edits": [{"do": "change_input", "shape": [32, 32, 1]}]}')
    code, out, err = cli("script", samples / "digits_vgg.keras", path, "-o", "gray.keras")
    assert (code, err) == (0, "")
    compile(out, "adapt.py", "exec")
    assert "OUT = 'gray.keras'" in out
    path.write_text('{"suture": 1, "edits": [{"do": "change_input", "shape": [48, 48, 3]}]}')
    code, out, err = cli("script", samples / "digits_vgg.keras", path, "-o", "larger.keras")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
