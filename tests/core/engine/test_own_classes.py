"""Layers of the person's own classes, given their code: the real classes, and their arrays where they belong."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.recipes.recipe import Recipe
from tests.core.engine.drive import engine, recipe
from tests.helpers.own_classes import NAMES, code_file, filled, model_of, numbers

KINDS = [(2, "keras"), (2, "h5"), (2, "json"), (2, "checkpoint"), (3, "keras"), (3, "h5"), (3, "json")]
QUICK = [(2, "h5", True), (2, "json", False), (3, "keras", False)]
EVERY = [
    pytest.param(*kind, nested, marks=() if (*kind, nested) in QUICK else pytest.mark.slow)
    for kind in KINDS
    for nested in (False, True)
]


@pytest.fixture(scope="module", autouse=True)
def clean_names() -> Iterator[None]:
    """What the code registers in Keras is taken back."""
    before = dict(keras.saving.get_custom_objects())
    yield
    known = keras.saving.get_custom_objects()
    known.clear()
    known.update(before)


@cache
def made(version: int, nested: bool) -> tuple[Any, list[Any]]:
    """The model of a Keras, and its answers."""
    model = model_of(tf_keras if version == 2 else keras, nested)
    return model, [np.asarray(out) for out in model(numbers())]


def saved(model: Any, version: int, kind: str, folder: Path) -> tuple[Path, Path | None]:
    if kind in ("keras", "h5"):
        model.save(folder / f"model.{kind}")
        return folder / f"model.{kind}", None
    (folder / "model.json").write_text(model.to_json())
    ending = {"json": "weights.h5" if version == 3 else "h5", "checkpoint": "check"}[kind]
    model.save_weights(str(folder / f"arrays.{ending}"))
    return folder / "model.json", folder / (f"arrays.{ending}.index" if kind == "checkpoint" else f"arrays.{ending}")


def opened(source: Path, weights: Path | None, code: Path) -> Engine:
    engine().set_source(read_model(source, weights), [str(code)])
    return engine()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("version", "kind", "nested"), EVERY)
def test_that_arrays_of_own_classes_land(version: int, kind: str, nested: bool, tmp_path: Path) -> None:
    model, wanted = made(version, nested)
    source, weights = saved(model, version, kind, tmp_path)
    written = opened(source, weights, code_file(tmp_path)).apply(Recipe(), tmp_path / "out.keras", check=False)
    assert {fate.fate for fate in written.plan.fates} == {"transferred" if weights else "copied"}
    loaded = keras.saving.load_model(tmp_path / "out.keras", compile=False)
    layer = loaded.get_layer("inside").get_layer("hard_lstm") if nested else loaded.get_layer("hard_lstm")
    assert type(layer).__name__ == "OwnLSTM"
    for name, got, want in zip(NAMES, loaded(numbers()), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max(), err_msg=name)


def test_that_arrays_that_nobody_can_place_are_an_error(tmp_path: Path) -> None:
    @tf_keras.utils.register_keras_serializable("lost")
    class Odd(tf_keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.a = self.add_weight(shape=(3, 3), name="first")
            self.b = self.add_weight(shape=(3,), name="second")

        def call(self, x: Any) -> Any:
            return x @ self.a + self.b

    start = tf_keras.Input((5, 3))
    filled(tf_keras.Model(start, Odd(name="odd")(start))).save(tmp_path / "odd.h5")
    (tmp_path / "odd.py").write_text(
        "import keras\n"
        "@keras.saving.register_keras_serializable('lost')\n"
        "class Odd(keras.layers.Layer):\n"
        "    def build(self, shape):\n"
        "        self.c = self.add_weight(shape=(3, 4), name='other')\n"
        "        self.d = self.add_weight(shape=(4,), name='more')\n"
        "    def call(self, x):\n"
        "        return x @ self.c + self.d\n"
    )
    plan = opened(tmp_path / "odd.h5", None, tmp_path / "odd.py").plan(Recipe())
    errors = [finding for finding in plan.findings if finding.severity == "error" and finding.layer == "odd"]
    assert "first, second" in errors[0].message
    assert "other, more" in errors[0].message
    started = errors[0].fixes[0].edits
    left = [one for one in engine().plan(recipe(*started)).findings if one.severity == "error"]
    assert "odd/first" in left[0].detail  # what the file itself loses is accepted, or nothing is written
    assert engine().plan(recipe(*started, *left[0].fixes[0].edits)).ok


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize(("version", "kind"), [(2, "json"), (2, "checkpoint"), (3, "json")])
def test_that_a_transfer_finds_the_arrays_of_own_classes(version: int, kind: str, nested: bool, tmp_path: Path) -> None:
    model, wanted = made(version, nested)
    source, weights = saved(model, version, kind, tmp_path)
    edit = {"do": "transfer_weights", "file": str(weights)}
    tool = opened(source, None, code_file(tmp_path))
    written = tool.apply(recipe(edit), tmp_path / "out.keras", check=False)
    assert {fate.fate for fate in written.plan.fates} == {"transferred"}
    loaded = keras.saving.load_model(tmp_path / "out.keras", compile=False)
    for name, got, want in zip(NAMES, loaded(numbers()), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max(), err_msg=name)
