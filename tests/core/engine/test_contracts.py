"""Contracts, edit by edit: what is said to stay equal is measured between the two models, and a lie is found out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from core.edits import EDITS
from core.model.plan import Verification
from core.recipes.recipe import Recipe
from tests.core.edits import zoo
from tests.core.engine.drive import applied, assert_verified, opened, outputs, plan, recipe, saved
from tests.core.engine.small_models import fill
from tests.helpers.contracts import fields as contract_fields
from tests.helpers.contracts import kind as contract_kind

KEEP = {"do": "attach_head", "classes": 4, "keep": [3, 0], "hidden": []}
FRONT = [
    {"class_name": "Conv2D", "config": {"filters": 3, "kernel_size": 3, "padding": "same"}},
    {"class_name": "MaxPooling2D", "config": {}},
]
# do: (model, further fields, the contract's kind, whether it is exact)
EXAMPLES: dict[str, tuple[str, dict[str, Any], str, bool]] = {
    "change_input": ("flat", {"shape": [16, 16, 1]}, "gray", True),
    "replace_first_conv": ("flat", {"kernel_size": 5}, "same_input", True),
    "insert_adapter": ("flat", {"shape": [20, 12, 3], "fit": "resize"}, "adapted", True),
    "insert_front": ("flat", {"shape": [32, 32, 1], "layers": FRONT}, "adapted", True),
    "remove_head": ("nested", {"pooling": "max"}, "features", True),
    "attach_head": ("flat", {"classes": 3}, "features", True),
    "cut_at": ("nested", {"layers": ["backbone/stem_relu", "pool"]}, "features", True),
    "start_at": ("flat", {"layers": ["stem_relu"]}, "tail", True),
    "set_trainable": ("nested", {"layers": ["backbone"]}, "same_input", True),
    "insert_layer": ("nested", {"layer": "backbone/stem", "config": {"class_name": "ReLU"}}, "features", True),
    "replace_layer": ("flat", {"layer": "add", "config": {"class_name": "Multiply"}}, "features", True),
    "remove_layer": ("nested", {"layer": "backbone/stem_relu"}, "features", True),
    "rename_layer": ("nested", {"layer": "backbone/stem", "name": "first"}, "same_input", True),
    "set_rule": ("flat", {"weight": "predictions/kernel", "rule": "initialize"}, "same_input", False),
    "fold_batch_norm": ("nested", {}, "same_input", True),
    "fold_weights": ("spectral", {}, "same_input", True),
    "set_batch": ("nested", {"batch": 3}, "batch", True),
    "drop_training_only": ("noisy", {}, "same_input", True),
    "replace_all": ("noisy", {"match": {"class_name": "Dropout"}, "with": {"rate": 0.1}}, "same_input", True),
    "set_dtype": ("flat", {"policy": "mixed_float16"}, "same_input", False),
    "inflate": ("flat", {"shape": [4, 16, 16, 3]}, "stacked", True),
    "change_classes": ("flat", {"classes": 7, "old_classes": 5}, "classes", True),
    "data_format": ("nested", {"to": "channels_first"}, "transposed", True),
}


def source(name: str, folder: Path) -> Path:
    keras.backend.clear_session()
    model = getattr(zoo, name)()
    fill(model)
    return saved(model, folder)


def verdict(path: Path, folder: Path, *edits: Any) -> Verification:
    written, _ = applied(path, folder / "out.keras", *edits)
    assert_verified(written.verification)
    assert written.verification is not None
    return written.verification


def test_that_every_edit_says_what_stays_equal_or_is_known_not_to() -> None:
    # arrays out of another file: that they are the file's, bit for bit, is checked array by array
    # joined models and new vocabularies: in their own tests; accepting a loss changes nothing
    elsewhere = {"transfer_weights", "join_models", "keep_words", "accept_losses"}
    assert set(EDITS) - set(EXAMPLES) == elsewhere


@pytest.mark.parametrize("do", EXAMPLES)
def test_that_the_contract_of_each_edit_is_stated_and_holds(do: str, tmp_path: Path) -> None:
    name, fields, kind, exact = EXAMPLES[do]
    path, edit = source(name, tmp_path), {"do": do, **fields}
    assert [(contract_kind(one), one.exact) for one in plan(path, edit).contracts] == [(kind, exact)]
    found = verdict(path, tmp_path, edit).contracts
    assert len(found) == 1
    assert found[0].drift < 1e-5 or not exact


@pytest.mark.parametrize("name", ["flat", "sequential", "nested", "volume", "signal", "multi_input"])
@pytest.mark.parametrize("pooling", ["avg", "max", "none"])
def test_that_pooled_features_are_checked_against_the_old_map(name: str, pooling: str, tmp_path: Path) -> None:
    found = verdict(source(name, tmp_path), tmp_path, {"do": "remove_head", "pooling": pooling})
    assert [one.exact for one in found.contracts] == [True]
    assert found.contracts[0].drift < (1e-6 if pooling == "avg" else 1e-12)


def test_that_maps_of_channels_first_models_are_pooled_over_their_sizes(tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((3, 6, 5))
    x = layers.ReLU(name="relu")(layers.BatchNormalization(axis=1)(start))
    x = layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")(x)
    model = keras.Model(start, layers.Dense(4, activation="softmax")(x))
    fill(model)
    path = saved(model, tmp_path)
    for pooling in ("avg", "max"):
        found = verdict(path, tmp_path, {"do": "remove_head", "pooling": pooling})
        assert found.contracts[0].drift < 1e-6


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("nested", ["backbone/stem_relu", "pool", "backbone/block_conv"]),
        ("shared", ["stem", "pool"]),
        ("unet", ["down1", "skip2", "mask"]),
        ("multi_input", ["pool"]),
        ("sequential", ["second"]),
    ],
)
def test_that_every_output_of_a_cut_is_checked_against_its_old_layer(name: str, cut: Any, tmp_path: Path) -> None:
    path = source(name, tmp_path)
    edit = {"do": "cut_at", "layers": cut}
    found = verdict(path, tmp_path, edit).contracts
    assert [(one.exact, one.drift) for one in found] == [(True, 0.0)]
    pairs = contract_fields(plan(path, edit).contracts[0])["pairs"]
    assert len(pairs) == len(keras.saving.load_model(tmp_path / "out.keras", compile=False).outputs)


def test_that_a_nested_model_called_twice_is_checked_at_both_calls(tmp_path: Path) -> None:
    keras.backend.clear_session()
    inner = keras.Input((8,))
    body = keras.Model(inner, layers.Dense(8, activation="tanh", name="dense")(inner), name="body")
    start = keras.Input((8,), name="start")
    middle = layers.Dense(8, activation="relu", name="middle")(body(start))
    model = keras.Model(start, layers.Dense(2, name="end")(body(middle)))
    fill(model)
    path = saved(model, tmp_path)
    edit = {"do": "cut_at", "layers": ["body/dense"]}
    assert contract_fields(plan(path, edit).contracts[0])["pairs"] == [
        (0, ["body/dense", [0, 0], 0]),
        (1, ["body/dense", [1, 0], 0]),
    ]
    assert verdict(path, tmp_path, edit).contracts[0].drift == 0.0


def classifying(kind: str) -> Any:
    """Endings that classifiers have: a Dense, a 1x1 convolution and its own activation, one inside a nested model."""
    start = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D(keepdims=kind == "conv", name="pool")(layers.Conv2D(6, 3)(start))
    if kind == "conv":
        x = layers.Reshape((5,), name="flat")(layers.Conv2D(5, 1, name="logits")(x))
        return keras.Model(start, layers.Activation("softmax", name="answers")(x))
    if kind == "nested":
        inner = keras.Input((6,))
        head = keras.Model(inner, layers.Dense(5, activation="softmax", name="logits")(inner), name="head")
        return keras.Model(start, head(x))
    return keras.Model(start, layers.Dense(5, activation=kind, name="logits")(x))


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "linear", "conv", "nested"])
@pytest.mark.parametrize("keep", [[3, 0], ["cat", "dog"]])
def test_that_kept_classes_are_exact_ahead_of_their_activation(kind: str, keep: Any, tmp_path: Path) -> None:
    keras.backend.clear_session()
    model = classifying(kind)
    fill(model)
    path = saved(model, tmp_path)
    edit = {**KEEP, "keep": keep, "labels": ["dog", "bird", "fish", "cat", "horse"], "activation": "softmax"}
    written, new = applied(path, tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    contract = written.verification.contracts[0]  # type: ignore[union-attr]
    assert contract.exact
    assert contract.drift < 1e-6
    if kind in ("softmax", "conv", "nested"):
        x = np.random.default_rng(2).random((4, 8, 8, 3), dtype=np.float32)
        was, now = (np.log(outputs(one, x)[0]) for one in (model, new))
        # a softmax keeps the logarithms' differences, whatever the other classes say
        np.testing.assert_allclose(now[:, 0] - now[:, 1], was[:, 3] - was[:, 0], atol=1e-5)


@pytest.mark.parametrize("second", [[1, 0], [2, 0], [0, 3]])
def test_that_classes_kept_twice_are_chosen_among_those_kept_before(second: Any, tmp_path: Path) -> None:
    path = source("flat", tmp_path)
    edits = ({**KEEP, "keep": [4, 2, 1]}, {**KEEP, "keep": second, "classes": 2})
    found = plan(path, *edits)
    fresh = 3 in second  # the fourth of the first choice was new itself
    assert [one.code for one in found.findings] == ["adapt.lossy"] * fresh
    assert [contract_fields(one)["old"] for one in found.contracts] == [[4, 2, 1], [one for one in second if one < 3]]
    verdict(path, tmp_path, *edits)
    new = keras.saving.load_model(tmp_path / "out.keras", compile=False).get_layer("predictions").get_weights()[0]
    old = keras.saving.load_model(path, compile=False).get_layer("predictions").get_weights()[0]
    for place, one in enumerate(second):
        if one < 3:
            np.testing.assert_array_equal(new[:, place], old[:, [4, 2, 1][one]])
        else:
            assert not np.any(np.all(new[:, place : place + 1] == old, axis=0))


def test_that_a_fresh_head_has_no_classes_to_keep(tmp_path: Path) -> None:
    path = source("flat", tmp_path)
    found = plan(path, {"do": "remove_head"}, {"do": "attach_head", "classes": 4}, KEEP)
    assert "new themselves" in next(one.message for one in found.findings if one.code == "adapt.lossy")
    assert [contract_kind(one) for one in found.contracts] == ["features", "features"]


def test_that_the_tail_from_an_input_is_the_model_itself(tmp_path: Path) -> None:
    found = verdict(source("flat", tmp_path), tmp_path, {"do": "start_at", "layers": ["image"]}).contracts
    assert [(one.exact, one.drift) for one in found] == [(True, 0.0)]


@pytest.mark.parametrize(
    ("shape", "crop_back", "drift"), [((30, 41, 1), True, 0.0), ((30, 41, 1), False, 0.0), ((64, 32, 1), True, 0.0)]
)
def test_that_padding_to_a_multiple_is_checked_at_the_padded_size(
    shape: Any, crop_back: bool, drift: float, tmp_path: Path
) -> None:
    edit = {"do": "insert_adapter", "shape": list(shape), "fit": "pad", "multiple": 32, "crop_back": crop_back}
    found = verdict(source("unet", tmp_path), tmp_path, edit).contracts
    assert [(one.exact, one.drift) for one in found] == [(True, drift)]


def test_that_only_outputs_of_the_size_of_the_input_are_cropped_back(tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((32, 32, 1))
    full = layers.Conv2D(2, 3, padding="same", name="full")(start)
    half = layers.MaxPooling2D(name="half")(full)
    model = keras.Model(start, [full, half])
    fill(model)
    edit = {"do": "insert_adapter", "shape": [30, 30, 1], "fit": "pad", "multiple": 32}
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    assert [one.shape[1:3] for one in new.outputs] == [(30, 30), (16, 16)]


@pytest.mark.parametrize("edit", [{"do": "insert_layer", "layer": "stem"}, {"do": "remove_layer", "layer": "drop"}])
def test_that_layers_that_only_act_in_training_change_nothing(edit: Any, tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((8, 8, 3))
    x = layers.Dropout(0.3, name="drop")(layers.Conv2D(4, 3, name="stem")(start))
    model = keras.Model(start, layers.GlobalAveragePooling2D(name="pool")(x))
    fill(model)
    config = {"config": {"class_name": "GaussianNoise", "config": {"stddev": 1.0}}} if "insert" in edit["do"] else {}
    found = verdict(saved(model, tmp_path), tmp_path, {**edit, **config}).contracts
    assert [(one.name, one.exact, one.drift) for one in found] == [("new(x) == old(x)", True, 0.0)]


def test_that_a_layer_behind_the_input_is_an_adapter(tmp_path: Path) -> None:
    config = {"class_name": "Rescaling", "config": {"scale": 0.5, "offset": 0.1}}
    edit = {"do": "insert_layer", "layer": "image", "config": config}
    found = verdict(source("flat", tmp_path), tmp_path, edit).contracts
    assert [(one.name, one.exact) for one in found] == [("new(x) == old(rescaling(x))", True)]


@pytest.mark.parametrize(
    ("edit", "layer"),
    [
        ({"do": "remove_head"}, "stem"),
        ({"do": "remove_head", "pooling": "max"}, "last"),
        ({"do": "attach_head", "classes": 3}, "predictions"),
        (KEEP, "predictions"),
        ({"do": "cut_at", "layers": ["add", "dw"]}, "dw"),
        ({"do": "replace_layer", "layer": "stem_relu", "config": {"class_name": "ELU"}}, "stem"),
        ({"do": "set_trainable", "layers": ["stem"]}, "pw"),
    ],
)
def test_that_a_weight_that_is_not_the_old_one_breaks_the_contract(edit: Any, layer: str, tmp_path: Path) -> None:
    path, out = source("flat", tmp_path), tmp_path / "out.keras"
    _, new = applied(path, out, edit)
    kernel, *rest = new.get_layer(layer).get_weights()
    new.get_layer(layer).set_weights([kernel * 1.05 + 0.01, *rest])
    new.save(out)
    found = opened(path).verify(recipe(edit), out)
    assert [one.holds for one in found.contracts] == [False]
    assert not found.ok


def test_that_a_model_without_weights_makes_no_promises_about_fresh_ones(tmp_path: Path) -> None:
    path = tmp_path / "bare.json"
    path.write_text(zoo.flat().to_json(), encoding="utf-8")
    kept = plan(path, KEEP)
    assert kept.ok
    assert kept.contracts == ()
    assert len(plan(path, {"do": "rename_layer", "layer": "stem", "name": "first"}).contracts) == 1
    assert len(plan(path, {"do": "remove_head"}).contracts) == 1


class Twice(keras.layers.Layer):
    """A layer of one's own, whose code the engine never gets."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0


def test_that_nothing_is_promised_against_a_model_whose_code_is_not_here(tmp_path: Path) -> None:
    keras.backend.clear_session()
    start = keras.Input((8,))
    x = Twice(name="twice")(layers.Dense(4, name="dense")(start))
    path = saved(keras.Model(start, layers.Dense(2, name="end")(x)), tmp_path)
    double = {"class_name": "Rescaling", "config": {"scale": 2.0, "offset": 0.0}}
    found = plan(path, {"do": "replace_layer", "layer": "twice", "config": double})
    assert found.ok
    assert found.contracts == ()


def test_that_a_recipe_without_steps_has_no_contracts(tmp_path: Path) -> None:
    path = source("flat", tmp_path)
    assert opened(path).plan(Recipe()).contracts == ()
