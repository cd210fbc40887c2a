"""A step that the model refuses is left out of the plan to look at and told; nothing is written while it is there."""

import warnings
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.errors import RecipeError
from core.findings import EditStep, Finding
from core.model.plan import Plan
from core.recipes.gestures import apply_fix
from tests.core.engine.drive import opened, recipe, saved
from tests.core.engine.small_models import model_file

GRAY = {"do": "change_input", "shape": [24, 24, 1], "channels": "sum"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refused")


def _flat() -> Any:
    inputs = keras.Input((24, 24, 3), name="image")
    x = layers.Conv2D(4, 3, name="conv_first")(inputs)
    x = layers.Conv2D(4, 3, name="conv_second")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, [layers.Dense(2, name=name)(x) for name in ("a", "b", "c")])


def _nested() -> Any:
    inner = keras.Sequential([keras.Input((24, 24, 3)), layers.Conv2D(4, 3, name="conv_first"), layers.ReLU(name="r")])
    inner.name = "body"
    inputs = keras.Input((24, 24, 3), name="image")
    x = layers.Flatten(name="flat")(inner(inputs))
    return keras.Model(inputs, [layers.Dense(2, name=name)(x) for name in ("a", "b", "c")])


def _of_keras_2(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tf_keras

        inputs = tf_keras.Input((24, 24, 3), name="image")
        x = tf_keras.layers.Conv2D(4, 3, name="conv_first")(inputs)
        x = tf_keras.layers.GlobalAveragePooling2D(name="pool")(x)
        outputs = [tf_keras.layers.Dense(2, name=name)(x) for name in ("a", "b", "c")]
        tf_keras.Model(inputs, outputs).save(path)
    return path


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, Path]:
    return {
        "flat": saved(_flat(), folder, "flat.keras"),
        "nested": saved(_nested(), folder, "nested.keras"),
        "keras 2": _of_keras_2(folder / "old.h5"),
    }


@pytest.fixture(params=["flat", "nested", "keras 2"])
def at_work(request: pytest.FixtureRequest, files: dict[str, Path]) -> Engine:
    return opened(files[request.param])


def refused(plan: Plan) -> list[Finding]:
    return [finding for finding in plan.findings if finding.code == "step.refused"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"do": "replace_first_conv", "layer": "conv1", "kernel_size": 5}, "Use the first convolution"),
    ({"do": "insert_adapter", "fit": "pad", "shape": [48, 48, 3]}, "Crop instead"),
    ({"do": "remove_head"}, "Use the output a"),
    ({"do": "attach_head", "classes": 5}, "Use the output a"),
    ({"do": "set_trainable", "layers": ["conv_frist*"]}, "Use "),
    ({"do": "cut_at", "layers": ["conv_frst"]}, "Use "),
    ({"do": "rename_layer", "layer": "aa", "name": "x"}, ""),
    ({"do": "change_input", "input": "imag", "shape": [24, 24, 1]}, "Use the only input (image)"),
    ({"do": "transfer_weights", "file": "/nowhere/weights.h5"}, ""),
]


@pytest.mark.parametrize(("step", "way"), BAD)
def test_that_the_other_steps_are_planned_and_the_refused_one_is_told(
    at_work: Engine, step: dict[str, Any], way: str
) -> None:
    told = at_work.draft(recipe(step, GRAY))
    (finding,) = refused(told)
    assert (finding.severity, finding.step, told.ok) == ("error", 1, False)
    assert finding.message.startswith("Step 1 cannot be applied and is left out of the plan. ")
    assert told.inputs[0].shape == (None, 24, 24, 1)
    assert replace_findings(told) == replace_findings(at_work.draft(recipe(GRAY)))
    titles = [fix.title for fix in finding.fixes]
    assert titles[-1] == "Disable this step"
    assert isinstance(finding.actions[-1], EditStep)
    assert any(title.startswith(way) for title in titles[:-1]) or not way
    for fix in finding.fixes:
        fixed = apply_fix(recipe(step, GRAY), fix.edits, fix.step)
        assert not [one for one in refused(at_work.draft(fixed)) if one.step == 1]


def replace_findings(plan: Plan) -> Any:
    """What a plan says beside the refused step, and of what."""
    rest = [finding for finding in plan.findings if finding.code != "step.refused"]
    return plan.graph, plan.fates, plan.dropped, plan.after, rest


def test_that_nothing_is_written_and_a_later_mend_is_planned_whole(files: dict[str, Path], tmp_path: Path) -> None:
    engine = opened(files["flat"])
    steps = recipe(GRAY, {"do": "cut_at", "layers": ["nowhere"]}, {"do": "set_trainable", "layers": ["conv_*"]})
    assert [finding.step for finding in refused(engine.draft(steps))] == [2]
    with pytest.raises(RecipeError, match=r"edit 2 \(cut_at\): There is no layer 'nowhere'"):
        engine.apply(steps, tmp_path / "out.keras")
    assert list(tmp_path.iterdir()) == []
    whole = recipe(GRAY, {"do": "cut_at", "layers": ["pool"]}, {"do": "set_trainable", "layers": ["conv_*"]})
    fresh = Engine()
    fresh.set_source(read_model(files["flat"]))
    assert engine.draft(whole) == engine.plan(whole) == fresh.plan(whole)
    assert refused(engine.draft(steps))[0].step == 2


def test_that_a_step_says_which_earlier_ones_it_may_need(files: dict[str, Path]) -> None:
    engine = opened(files["flat"])
    first, second = refused(
        engine.draft(
            recipe(
                {"do": "insert_layer", "layer": "nowhere", "config": {"class_name": "ReLU", "config": {"name": "new"}}},
                {"do": "rename_layer", "layer": "new", "name": "newer"},
            )
        )
    )
    assert "may need" not in first.message
    assert second.message.endswith("It may need step 1, which is left out too.")
    assert second.step == 2


def test_that_a_good_model_has_no_refused_step_whatever_its_kind() -> None:
    for name in ("chain", "nested", "siamese", "dicts"):
        assert refused(opened(model_file(name)).draft(recipe())) == []
