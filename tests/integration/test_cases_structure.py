"""Cases 19 to 26: cutting, freezing, sharing, several inputs, vision transformers."""

import importlib.util
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from core.analysis.opening import read_model
from core.recipes.recipe import Recipe
from tests.core.engine.drive import applied, assert_verified, drift, engine, outputs, plan, recipe, saved
from tests.core.engine.small_models import block, fill, model_file
from tests.helpers import models


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()


def loaded(path: Path) -> Any:
    return keras.saving.load_model(path, compile=False)


def run(model: Any, inputs: Any) -> Any:
    return outputs(model, inputs)[0]


def image(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_that_case_19_removed_layers_are_really_gone_and_skip_connections_stay(tmp_path: Path) -> None:
    source = models.application("ResNet50", include_top=False, pooling="avg", input_shape=(64, 64, 3))
    old = loaded(source)
    written, new = applied(source, tmp_path / "out.keras", {"do": "cut_at", "layers": ["conv3_block2_out"]})
    assert_verified(written.verification)
    reference = keras.Model(old.inputs[0], old.get_layer("conv3_block2_out").output)
    x = image(1, 64, 64, 3)
    assert drift(run(new, x), run(reference, x)) < 1e-6
    assert [layer.name for layer in new.layers] == [layer.name for layer in reference.layers]
    assert len(new.weights) == len(reference.weights) < len(old.weights)
    assert any(name.startswith("conv5") for name in written.plan.dropped)
    assert (tmp_path / "out.keras").stat().st_size < 0.2 * source.stat().st_size


def test_that_case_20_the_tail_of_a_model_takes_every_tensor_that_crosses_the_cut(tmp_path: Path) -> None:
    source = model_file("upsampler")
    old = loaded(source)
    deep, skips = "conv2d_2", ["conv2d", "conv2d_1"]
    written, new = applied(source, tmp_path / "out.keras", {"do": "start_at", "layers": [deep]})
    assert_verified(written.verification)
    assert written.verification is not None
    assert [result.exact for result in written.verification.contracts] == [True]
    # the skip connections that lead past the cut were not named, but are proposed as inputs
    assert {tensor.name for tensor in new.inputs} == {f"{name}_input" for name in (deep, *skips)}
    assert {finding.layer for finding in written.plan.findings} == set(skips)
    names = [tensor.name.removesuffix("_input") for tensor in new.inputs]
    features = keras.Model(old.inputs[0], [old.get_layer(name).output for name in names])
    x = image(2, 16, 16, 3)
    assert drift(run(new, outputs(features, x)), run(old, x)) < 1e-6
    assert len(new.weights) < len(old.weights)


def test_that_case_20_a_chain_is_cut_in_two_halves_that_make_the_whole(tmp_path: Path) -> None:
    source = models.application("MobileNetV2", alpha=0.35, input_shape=(96, 96, 3))
    old, middle = loaded(source), "block_8_project_BN"
    front, first = applied(source, tmp_path / "first.keras", {"do": "cut_at", "layers": [middle]})
    back, second = applied(source, tmp_path / "second.keras", {"do": "start_at", "layers": [middle]})
    assert_verified(front.verification)
    assert_verified(back.verification)
    # block 8 ends in an addition: what it adds leads past the cut
    assert [tensor.name for tensor in second.inputs] == [f"{middle}_input", "block_7_add_input"]
    skip = keras.Model(old.inputs[0], old.get_layer("block_7_add").output)
    x = image(1, 96, 96, 3)
    assert drift(run(second, [run(first, x), run(skip, x)]), run(old, x)) < 1e-5
    assert len(first.weights) + len(second.weights) == len(old.weights)


def test_that_case_21_freezing_batch_normalization_means_three_things_that_are_told_apart(tmp_path: Path) -> None:
    source = model_file("residual")
    everything = {"do": "set_trainable", "layers": ["*"], "trainable": False, "batch_norm": "trainable"}
    norms = [path for path, layer in read_model(source).graph.walk() if layer.class_name == "BatchNormalization"]
    moving = plan(source, everything)
    said = [finding for finding in moving.findings if finding.code == "freeze.batch_norm"]
    assert said
    assert "statistics" in said[0].message
    assert "inference mode" in said[0].message

    x, y = image(8, 12, 12, 3) * 4, image(8, 4)

    gaps = []

    def statistics_after_training(*edits: Any) -> tuple[list[Any], list[Any]]:
        written, model = applied(source, tmp_path / "out.keras", *edits)
        assert_verified(written.verification)
        assert written.verification is not None
        gaps.append(written.verification.training_gap)
        picked = [model.get_layer(name) for name in norms]
        before = [layer.get_weights() for layer in picked]
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=1, verbose=0)
        after = [layer.get_weights() for layer in picked]
        return before, after

    before, after = statistics_after_training(everything)
    assert all(not np.array_equal(old[2], new[2]) for old, new in zip(before, after, strict=True))
    still = {"do": "set_trainable", "layers": ["conv2d"], "trainable": False, "batch_norm": "frozen"}
    frozen = {"do": "set_trainable", "layers": norms, "trainable": False}
    before, after = statistics_after_training(still, frozen)
    for old, new in zip(before, after, strict=True):
        for one, other in zip(old, new, strict=True):
            np.testing.assert_array_equal(one, other)
    # how far training and inference part is told where they can, and they cannot once all are frozen
    assert gaps[0] is not None
    assert gaps[0] > 0.01
    assert gaps[1] is None
    # the third thing: frozen ones answer as at inference even when called for training
    model = loaded(tmp_path / "out.keras")
    norm = model.get_layer(norms[0])
    z = image(2, 12, 12, 8)
    np.testing.assert_array_equal(np.asarray(norm(z, training=True)), np.asarray(norm(z, training=False)))


def test_that_case_23_two_copies_of_one_backbone_are_told_apart_by_path(tmp_path: Path) -> None:
    """Both halves have layers of the same names inside; nothing may be mixed up."""
    start = keras.Input((12, 12, 3))
    left, right = block(name="twin"), block(name="twin")
    left.name, right.name = "left", "right"
    pool = layers.GlobalAveragePooling2D()
    model = keras.Model(start, layers.Concatenate()([pool(left(start)), pool(right(start))]))
    fill(model)
    source = saved(model, tmp_path)
    rename = {"do": "rename_layer", "layer": "right/twin_conv", "name": "other_conv"}
    freeze = {"do": "set_trainable", "layers": ["left/*"], "trainable": False}
    written, new = applied(source, tmp_path / "out.keras", freeze, rename)
    assert_verified(written.verification)
    for side, old_name, new_name in (("left", "twin_conv", "twin_conv"), ("right", "twin_conv", "other_conv")):
        old = model.get_layer(side).get_layer(old_name)
        now = new.get_layer(side).get_layer(new_name)
        for one, other in zip(old.get_weights(), now.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        assert now.trainable == (side == "right")
    x = image(2, 12, 12, 3)
    assert drift(run(new, x), run(model, x)) == 0


def test_that_case_23_a_new_layer_never_takes_a_name_that_is_there(tmp_path: Path) -> None:
    source = model_file("residual")
    config = {"class_name": "Conv2D", "config": {"name": "conv2d_1", "filters": 8, "kernel_size": 1}}
    written, new = applied(source, tmp_path / "out.keras", {"do": "insert_layer", "layer": "conv2d", "config": config})
    assert_verified(written.verification)
    names = [layer.name for layer in new.layers]
    assert len(set(names)) == len(names)


def test_that_case_24_one_edit_of_a_shared_layer_reaches_every_call(tmp_path: Path) -> None:
    source = model_file("siamese")
    graph = read_model(source).graph
    assert len(graph.layer("twin").calls) == 2
    grow = {"do": "replace_first_conv", "layer": "twin/twin_conv", "kernel_size": 5}
    written, new = applied(source, tmp_path / "out.keras", grow)
    assert_verified(written.verification)
    old = loaded(source)
    x = [image(2, 12, 12, 3), image(2, 12, 12, 3, seed=1)]
    assert drift(run(new, x), run(old, x)) < 1e-5
    assert sum("twin_conv/kernel" in fate.weight for fate in written.plan.fates) == 1
    both = (
        {"do": "change_input", "input": "left", "shape": [12, 12, 1]},
        {"do": "change_input", "input": "right", "shape": [12, 12, 1]},
    )
    alone = plan(source, both[0])
    assert not alone.ok
    written, gray = applied(source, tmp_path / "gray.keras", *both)
    assert_verified(written.verification)
    small = [image(2, 12, 12, 1), image(2, 12, 12, 1, seed=1)]
    assert drift(run(gray, small), run(old, [np.repeat(one, 3, -1) for one in small])) < 1e-5


def test_that_case_25_one_of_several_inputs_changes_and_their_structure_stays(tmp_path: Path) -> None:
    source = model_file("dicts")
    old = loaded(source)
    edit = {"do": "change_input", "input": "image", "shape": [8, 8, 1]}
    written, new = applied(source, tmp_path / "out.keras", edit)
    assert_verified(written.verification)
    gray, meta = image(2, 8, 8, 1), image(2, 5)
    after = new({"image": gray, "meta": meta}, training=False)
    before = old({"image": np.repeat(gray, 3, -1), "meta": meta}, training=False)
    assert set(after) == set(before) == {"score", "kind"}
    for name in after:
        assert drift(after[name], before[name]) < 1e-5
    assert new.get_layer("meta").batch_shape == (None, 5)


POSITIONS = '''
import keras
from keras import ops

@keras.saving.register_keras_serializable("vit")
class Positions(keras.layers.Layer):
    """A class token before the patches, and one learnt vector for each of them."""

    def build(self, shape):
        tokens, width = shape[1] + 1, shape[2]
        self.token = self.add_weight(shape=(1, 1, width), name="class_token")
        self.table = self.add_weight(shape=(1, tokens, width), name="positions", initializer="random_normal")
        self.built = True

    def call(self, patches):
        token = ops.broadcast_to(self.token, (ops.shape(patches)[0], 1, patches.shape[-1]))
        return ops.concatenate([token, patches], axis=1) + self.table

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] + 1, shape[2])
'''


def vision_transformer(size: int, code: Path) -> Any:
    """Patches of 16, a class token, learnt positions, one block of attention."""
    code.write_text(POSITIONS, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("positions_of_a_test", code)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    start = keras.Input((size, size, 3))
    x = layers.Conv2D(8, 16, strides=16, name="patches")(start)
    x = module.Positions(name="places")(layers.Reshape((-1, 8), name="tokens")(x))
    y = layers.LayerNormalization(name="norm")(x)
    x = layers.Add(name="join")([x, layers.MultiHeadAttention(2, 4, name="attention")(y, y)])
    model = keras.Model(start, layers.Dense(3, name="head")(layers.GlobalAveragePooling1D()(x)))
    fill(model)
    return model


@pytest.mark.parametrize(("height", "width", "grid"), [(384, 384, (24, 24)), (256, 192, (16, 12))])
def test_that_case_26_position_tables_follow_the_grid_and_keep_the_class_token(
    height: int, width: int, grid: tuple[int, int], tmp_path: Path
) -> None:
    code = tmp_path / "positions.py"
    model = vision_transformer(224, code)
    source = saved(model, tmp_path)
    table = np.asarray(model.get_layer("places").table)
    mine = engine()
    mine.set_source(read_model(source), code=[str(code)])
    step = recipe({"do": "change_input", "shape": [height, width, 3]})
    found = mine.plan(step)
    wrong = [finding for finding in found.findings if finding.severity == "error"]
    assert [(one.code, one.layer) for one in wrong] == [("weight.mismatch", "places")]
    fix = wrong[0].fixes[0]
    for number in (14, *grid):
        assert str(number) in fix.title  # the grid before and after
    full = Recipe(edits=(*step.edits, *fix.edits))
    assert mine.plan(full).ok
    written = mine.apply(full, tmp_path / "out.keras")
    assert_verified(written.verification)
    new = np.asarray(loaded(tmp_path / "out.keras").get_layer("places").table)
    assert new.shape == (1, grid[0] * grid[1] + 1, 8)
    np.testing.assert_array_equal(new[:, 0], table[:, 0])
    # the oracle resizes the old grid as an image; the corner stays near the corner, rows stay rows
    image_of = table[:, 1:].reshape(1, 14, 14, 8)
    expected = np.asarray(ops.image.resize(image_of, grid, interpolation="bicubic", antialias=True))
    ours = new[:, 1:].reshape(1, *grid, 8)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_that_case_26_as_many_tokens_in_another_grid_are_not_taken_as_the_same(tmp_path: Path) -> None:
    """14 x 16 patches are as many as 16 x 14, but their places are others."""
    code = tmp_path / "positions.py"
    start = vision_transformer(224, code)
    del start
    keras.backend.clear_session()
    model = vision_transformer(224, code)
    source = saved(model, tmp_path)
    mine = engine()
    mine.set_source(read_model(source), code=[str(code)])
    found = mine.plan(recipe({"do": "change_input", "shape": [112, 448, 3]}))
    told = [one for one in found.findings if one.layer == "places"]
    assert told, "a table for 14 x 14 places was taken as one for 7 x 28"
