"""What findings offer beside edits: an action for each thing that the window can do about them."""

from pathlib import Path

import keras
import pytest
from keras import layers

from core.findings import Action, CompareFixes, NameCode, OpenWeights, TrustCode
from core.model.plan import Plan
from tests.core.engine.drive import plan, saved


class Doubled(layers.Layer):
    """A class that the reader does not know."""

    def call(self, inputs: object) -> object:
        return inputs * 2  # type: ignore[operator]


def small(*between: layers.Layer) -> keras.Model:
    start = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, name="stem")(start)
    for layer in between:
        x = layer(x)
    return keras.Model(start, layers.Dense(2, name="head")(layers.Flatten(name="flat")(x)))


def offered(found: Plan, code: str) -> list[Action]:
    return [action for one in found.findings if one.code == code for action in one.actions]


def test_that_a_model_without_weights_offers_to_open_them(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(small().to_json())
    (finding,) = [one for one in plan(path).findings if "holds no weights" in one.message]
    assert finding.actions == (OpenWeights(),)
    assert finding.fixes == ()


def test_that_fixes_for_a_weight_that_does_not_fit_can_be_compared(tmp_path: Path) -> None:
    found = plan(saved(small(), tmp_path), {"do": "change_input", "shape": [12, 12, 3]})
    (finding,) = [one for one in found.findings if one.code == "weight.mismatch"]
    assert finding.actions[-1] == CompareFixes("head/kernel")
    assert finding.fixes == finding.actions[:-1]
    assert len(finding.fixes) > 1


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_that_stored_code_can_be_looked_at_and_trusted_where_it_is(nested: bool, tmp_path: Path) -> None:
    layer = layers.Lambda(lambda x: x * len(str(x.dtype)), name="odd")
    if nested:
        inside = keras.Input((6, 6, 4))
        layer = keras.Model(inside, layer(inside), name="block")
    found = plan(saved(small(layer), tmp_path))
    assert offered(found, "code.lambda") == [TrustCode("block/odd" if nested else "odd")]


def test_that_a_class_whose_code_is_missing_can_be_named(tmp_path: Path) -> None:
    path = saved(small(Doubled(name="twice")), tmp_path)
    assert offered(plan(path), "layer.unknown") == [NameCode("twice")]
