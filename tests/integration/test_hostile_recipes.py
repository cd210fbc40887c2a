"""Recipes made to do harm: nothing they bring is run, read or fetched, trusted file or not; each gets a sentence."""

import json
import os
import subprocess
import sys

import keras
import pytest

from core.edits import EDITS
from tests.helpers.blockers import ROOT
from tests.helpers.hostile import SECRET, Trap
from tests.helpers.hostile_recipes import recipes

pytestmark = pytest.mark.slow
Said = dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Trap:
    folder = tmp_path_factory.mktemp("trap")
    image = keras.Input((8, 8, 3), name="in")
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(image)
    x = keras.layers.Lambda(lambda x: x if x.shape else x * 2.0, output_shape=(8, 8, 4), name="act")(x)
    x = keras.layers.GlobalAveragePooling2D(name="flat")(x)
    x = keras.layers.Dense(8, name="hidden")(x)
    model = keras.Model(image, keras.layers.Dense(3, name="top")(x))
    model.save(folder / "good.keras")
    model.save(folder / "written.keras")
    return Trap(folder, folder / "good.keras")


@pytest.fixture(scope="module")
def answers(trap: Trap) -> dict[str, Said]:
    """What every way in said of every recipe."""
    todo = recipes(trap)
    (trap.folder / "recipes.json").write_text(json.dumps(todo))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{trap.folder}"}
    with (trap.folder / "driver.err").open("w") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "tests.helpers.recipe_driver", str(trap.folder)],
            cwd=trap.folder, env=environment, stdout=subprocess.PIPE, stderr=errors, timeout=900, check=False,
        )  # fmt: skip
    found = {answer["name"]: answer["said"] for answer in map(json.loads, done.stdout.decode().splitlines())}
    last = next((name for name in todo if name not in found), "")
    words = (trap.folder / "driver.err").read_text()[-2000:]
    assert done.returncode == 0, f"the process ended with {done.returncode} at {last!r}: {words}"
    return found


def test_that_the_good_model_s_own_code_is_run_only_when_it_is_trusted(trap: Trap) -> None:
    from core.analysis.opening import read_model
    from core.engine.api import Engine
    from core.recipes.recipe import Recipe

    engine = Engine()
    assert [layer.name for _, layer in engine.set_source(read_model(trap.good)).graph.walk() if layer.opaque] == ["act"]
    assert not any(layer.opaque for _, layer in engine.set_source(read_model(trap.good), (), True).graph.walk())
    written = engine.apply(Recipe(), trap.folder / "trusted.keras")
    assert written.verification is not None
    assert written.verification.ok


def test_that_nothing_was_run_read_or_fetched(trap: Trap, answers: dict[str, Said]) -> None:
    assert not trap.marker.exists(), trap.marker.read_text(errors="replace")
    told = [name for name, said in answers.items() for code, words in said.values() if SECRET in words]
    assert told == []


def test_that_every_recipe_is_refused_in_a_sentence_everywhere(answers: dict[str, Said]) -> None:
    # a path or an address where a field holds words stays a word
    wrong = {
        f"{name} / {way}": (code, words[-300:])
        for name, said in answers.items()
        if not name.endswith((": path", ": address", "list of path", "list of address"))
        for way, (code, words) in said.items()
        if code != 2 or not words.strip().endswith((".", "?")) or "\n" in words.strip() or "Traceback" in words
    }
    assert wrong == {}


def test_that_every_edit_and_every_field_was_tried(answers: dict[str, Said]) -> None:
    for do, kind in EDITS.items():
        for field in kind.__struct_encode_fields__:
            assert any(name.startswith(f"{do}.{field}:") for name in answers), (do, field)
    ways = {way for said in answers.values() for way in said}
    assert {"recipe", "plan", "apply", "verify", "script", "trusted Apply", "untrusted MakePlan"} <= ways
