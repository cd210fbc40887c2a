"""Cases 27 and 28: half precision, quantized layers, wrappers of quantization-aware training."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from core.errors import RecipeError
from core.recipes.recipe import Recipe
from tests.core.engine.drive import applied, assert_verified, drift, opened, outputs, plan, saved
from tests.core.engine.small_models import fill, model_file


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    keras.backend.clear_session()


def loaded(path: Path) -> Any:
    return keras.saving.load_model(path, compile=False)


def run(model: Any, inputs: Any) -> Any:
    return outputs(model, inputs)[0]


def image(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_that_case_27_mixed_precision_is_shown_and_becomes_float32(tmp_path: Path) -> None:
    source = model_file("half_precision")
    old = loaded(source)
    policies = {layer.name: layer.dtype_policy.name for layer in old.layers}
    assert {"mixed_float16", "float16", "float32"} <= set(policies.values())
    gray, _ = applied(source, tmp_path / "gray.keras", {"do": "change_input", "shape": [16, 16, 1]})
    assert_verified(gray.verification)
    written, new = applied(source, tmp_path / "out.keras", {"do": "set_dtype", "policy": "float32"})
    assert_verified(written.verification)
    assert {layer.dtype_policy.name for layer in new.layers} == {"float32"}
    assert {str(weight.dtype) for weight in new.weights} == {"float32"}
    x = image(2, 12, 12, 3)
    assert drift(run(new, x), run(old, x)) < 1e-2
    fates = {fate.weight: fate for fate in written.plan.fates}
    assert all(fate.dtype == "float32" for fate in fates.values())


def test_that_case_27_normalization_stays_float32_in_half_precision(tmp_path: Path) -> None:
    source = model_file("normalized")
    _, new = applied(source, tmp_path / "out.keras", {"do": "set_dtype", "policy": "mixed_float16"})
    policies = {type(layer).__name__: layer.dtype_policy.name for layer in new.layers}
    assert policies["Conv2D"] == "mixed_float16"
    assert policies["Normalization"] == "float32"


def test_that_case_28_quantized_layers_are_carried_whole_and_never_half_edited(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    x = layers.Flatten(name="flat")(layers.Conv2D(4, 3, name="conv")(start))
    model = keras.Model(start, layers.Dense(3, name="out")(layers.Dense(16, activation="relu", name="fc")(x)))
    fill(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras says of each layer without numbers that it has none to quantize
        model.quantize("int8")
    source = saved(model, tmp_path)
    written, new = applied(source, tmp_path / "out.keras")
    assert_verified(written.verification)
    assert {str(weight.dtype) for weight in new.get_layer("fc").weights} >= {"int8"}
    images = image(2, 8, 8, 3)
    assert drift(run(new, images), run(model, images)) < 1e-6
    step = {"do": "change_input", "shape": [12, 12, 3]}
    wrong = [one for one in plan(source, step).findings if one.severity == "error"]
    assert [one.layer for one in wrong] == ["fc"]
    assert "quantized" in " ".join(one.message for one in wrong)
    titles = [fix.title for one in wrong for fix in one.fixes]
    assert not any(title.startswith("Adapt") or "spread" in title.lower() for title in titles), titles
    assert [title for title in titles if "antize" in title] == [
        "Dequantize fc",
        "Dequantize fc, then quantize it to int8 again",
    ]
    gray, _ = applied(source, tmp_path / "gray.keras", {"do": "change_input", "shape": [8, 8, 1]})
    assert_verified(gray.verification)


def words() -> Any:
    """Every kind of layer that Keras quantizes, with odd widths, which pack badly."""
    start = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 9, name="words")(start)
    x = layers.EinsumDense("abc,cde->abde", (6, 3, 7), bias_axes="de", name="heads")(x)
    x = layers.EinsumDense("abde,def->abf", (6, 8), bias_axes="f", name="joined")(x)
    x = layers.Dense(5, activation="relu", name="fc")(layers.Flatten(name="flat")(x))
    model = keras.Model(start, layers.Dense(3, name="out")(x))
    fill(model)
    return model


def quantize(model: Any, policy: str) -> Any:
    mode, _, block = policy.partition("/")
    kind = keras.quantizers.Int4QuantizationConfig
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras says of each layer without numbers that it has none to quantize
        model.quantize(mode, config=kind(block_size=int(block)) if block else None)
    return model


def keras_floats(layer: Any) -> Any:
    """The floats that a layer's quantized numbers stand for, by Keras's own merge of an empty low-rank update."""
    layer.enable_lora(1)  # its second factor starts with zeros
    for name in ("lora_kernel_b", "lora_embeddings_b"):
        if hasattr(layer, name):
            getattr(layer, name).assign(ops.zeros_like(getattr(layer, name)))
    taken: list[Any] = []
    real = keras.src.quantizers.abs_max_quantize
    grouped = keras.src.quantizers.abs_max_quantize_grouped_with_zero_point

    def take(array: Any, *args: Any, **kwargs: Any) -> Any:
        taken.append(np.asarray(array))
        return real(array, *args, **kwargs)

    def take_grouped(array: Any, *args: Any, **kwargs: Any) -> Any:
        taken.append(np.asarray(array))
        return grouped(array, *args, **kwargs)

    keras.src.quantizers.abs_max_quantize = take
    keras.src.quantizers.abs_max_quantize_grouped_with_zero_point = take_grouped
    try:
        merge = getattr(layer, "_get_kernel_with_merged_lora", None) or layer._get_embeddings_with_merged_lora
        merge()
    finally:
        keras.src.quantizers.abs_max_quantize = real
        keras.src.quantizers.abs_max_quantize_grouped_with_zero_point = grouped
    return taken[0]


@pytest.mark.parametrize("policy", ["int8", "int4/-1", "int4/4"])
def test_that_case_28_quantized_numbers_become_the_floats_they_stand_for(tmp_path: Path, policy: str) -> None:
    model = quantize(words(), policy)
    source = saved(model, tmp_path)
    written, new = applied(source, tmp_path / "out.keras", {"do": "set_dtype", "policy": "float32"})
    assert_verified(written.verification)
    fates = {fate.weight: fate for fate in written.plan.fates}
    assert fates["fc/kernel"].fate == "adapted"
    assert fates["fc/kernel"].rule == "dequantize"
    assert fates["fc/bias"].fate == "copied"
    assert {"fc/kernel_scale", "words/embeddings_scale"} <= set(dict(written.plan.merged))
    told = " ".join(one.message for one in written.plan.findings)
    assert "kernel_scale" in told
    assert {str(weight.dtype) for weight in new.weights} == {"float32"}
    ids = np.random.default_rng(0).integers(0, 11, (4, 6))
    # int4 keeps what goes in as it is; int8 rounds it too
    assert drift(run(new, ids), run(model, ids)) < (1e-6 if policy != "int8" else 0.05)
    for name in ("words", "fc", "out"):
        mine = new.get_layer(name).weights[0].numpy()
        theirs = keras_floats(model.get_layer(name))
        shape = mine.T.shape if theirs.shape != mine.shape else mine.shape
        assert np.array_equal(mine, theirs.reshape(shape).T if shape != mine.shape else theirs), name


@pytest.mark.parametrize("policy", ["int8", "int4/-1", "int4/4"])
def test_that_case_28_quantizing_gives_keras_s_own_file(tmp_path: Path, policy: str) -> None:
    source = saved(words(), tmp_path)
    _, new = applied(source, tmp_path / "out.keras", {"do": "set_dtype", "policy": policy})
    native = quantize(loaded(source), policy)
    native.save(tmp_path / "native.keras")
    native = loaded(tmp_path / "native.keras")
    for mine, theirs in zip(new.layers, native.layers, strict=True):
        assert mine.get_config() == theirs.get_config()
        for one, two in zip(mine.weights, theirs.weights, strict=True):
            assert one.name == two.name
            assert one.dtype == two.dtype
            assert np.array_equal(one.numpy(), two.numpy()), one.path
    ids = np.random.default_rng(0).integers(0, 11, (4, 6))
    assert np.array_equal(run(new, ids), run(native, ids))
    assert stored_keys(tmp_path / "out.keras") == stored_keys(tmp_path / "native.keras")


def stored_keys(path: Path) -> dict[str, Any]:
    import io
    import zipfile

    import h5py

    found: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, one: found.update({name: one[()].tolist()}) if hasattr(one, "dtype") else None)
    return found


def test_that_case_28_floats_first_then_the_edit_then_quantized_again(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    x = layers.Dense(6, name="pixel")(start)
    x = layers.Flatten(name="flat")(layers.Conv2D(4, 3, name="conv")(x))
    model = keras.Model(start, layers.Dense(3, name="out")(layers.Dense(16, activation="relu", name="fc")(x)))
    fill(model)
    source = saved(quantize(model, "int8"), tmp_path)
    steps = (
        {"do": "set_dtype", "policy": "float32"},
        {"do": "change_input", "shape": [8, 8, 1]},
        {"do": "attach_head", "classes": 2, "keep": [0, 2]},
        {"do": "set_dtype", "policy": "int8"},
    )
    written, new = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    fates = {fate.weight: fate for fate in written.plan.fates}
    assert fates["pixel/kernel"].rule == "dequantize + sum + quantize to int8"
    # what the floats of these steps would be, quantized by Keras
    _, floats = applied(source, tmp_path / "floats.keras", *steps[:-1])
    native = quantize(floats, "int8")
    for mine, theirs in zip(new.weights, native.weights, strict=True):
        assert mine.path == theirs.path
        assert np.array_equal(mine.numpy(), theirs.numpy()), mine.path
    gray = image(2, 8, 8, 1)
    old = run(loaded(source), np.repeat(gray, 3, axis=-1))
    assert drift(run(new, gray)[:, 0], old[:, 0]) < 0.1


def test_that_case_28_a_refused_edit_offers_floats_in_one_click(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Dense(6, name="pixel")(start))
    model = keras.Model(start, layers.Dense(3, name="out")(x))
    fill(model)
    source = saved(quantize(model, "int8"), tmp_path)
    step = {"do": "change_input", "shape": [8, 8, 1]}
    wrong = [one for one in plan(source, step).findings if one.severity == "error"]
    assert [one.layer for one in wrong] == ["pixel"]
    for fix, kind in zip(wrong[0].fixes, ("float32", "int8"), strict=True):
        edits = [{"do": "set_dtype", "policy": edit.policy, "layers": list(edit.layers)} for edit in fix.edits]
        after = applied(source, tmp_path / f"{kind}.keras", step, *edits)
        before = applied(source, tmp_path / f"{kind}2.keras", edits[0], step, *edits[1:])
        assert_verified(after[0].verification)
        assert {str(weight.dtype) for weight in after[1].get_layer("pixel").weights} == {kind, "float32"}
        for one, two in zip(after[1].weights, before[1].weights, strict=True):
            assert np.array_equal(one.numpy(), two.numpy())  # in front of the edit or behind it: the same


def test_that_case_28_a_new_head_is_quantized_from_its_first_floats(tmp_path: Path) -> None:
    source = saved(quantize(words(), "int8"), tmp_path)
    head = {"do": "attach_head", "classes": 4, "hidden": []}
    steps = ({"do": "remove_head"}, head, {"do": "set_dtype", "policy": "int8"})
    written, new = applied(source, tmp_path / "out.keras", *steps)
    assert_verified(written.verification)
    kernel = next(one for one in new.layers[-1].weights if one.name == "kernel")
    assert str(kernel.dtype) == "int8"
    assert np.abs(kernel.numpy()).max() == 127  # Keras itself would start with zeros


@pytest.mark.parametrize("kind", ["gptq", "awq"])
def test_that_case_28_groups_chosen_by_samples_become_floats_where_the_file_is_whole(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras 3.15 saves no zeros of GPTQ and AWQ and cannot load its own file; files that have them are read."""
    rng = np.random.default_rng(0)
    start = keras.Input((3, 6))
    x = layers.EinsumDense("abc,cde->abde", (3, 2, 5), bias_axes="de", name="heads")(start)
    model = keras.Model(start, layers.Dense(7, name="out")(layers.Reshape((3, 10), name="flat")(x)))
    fill(model)
    fields: dict[str, Any] = {"dataset": ["a"], "tokenizer": lambda text: text, "group_size": 4}
    for layer in (model.get_layer("heads"), model.get_layer("out")):
        make = keras.quantizers.GPTQConfig if kind == "gptq" else keras.quantizers.AWQConfig
        layer.quantize(kind, config=make(**fields))
        layer.quantized_kernel.assign(rng.integers(0, 256, layer.quantized_kernel.shape).astype("uint8"))
        layer.kernel_scale.assign(rng.uniform(0.01, 0.1, layer.kernel_scale.shape))
        layer.kernel_zero.assign(rng.integers(0, 15, layer.kernel_zero.shape).astype("uint8"))
        layer.g_idx.assign(np.arange(layer.g_idx.shape[0]) // 4)
        if kind == "awq":
            layer.awq_scales.assign(rng.uniform(0.5, 1.5, layer.awq_scales.shape))
        layer.is_gptq_calibrated = layer.is_awq_calibrated = True
    step = {"do": "set_dtype", "policy": "float32"}
    model.save(tmp_path / "without.keras")
    with pytest.raises(RecipeError, match="zeros"):
        plan(tmp_path / "without.keras", step)
    with monkeypatch.context() as patch:
        for one in (layers.Dense, layers.EinsumDense):
            patch.setattr(one, "_get_kernel_with_merged_lora", lambda self: (None, None, self.kernel_zero))
        model.save(tmp_path / "whole.keras")
    written, new = applied(tmp_path / "whole.keras", tmp_path / "out.keras", step)
    assert_verified(written.verification)
    images = image(2, 3, 6)
    assert drift(run(new, images), run(model, images)) < 1e-6


def test_that_case_28_wrappers_of_tfmot_are_taken_off(tmp_path: Path) -> None:
    """Pruning and quantizing wrappers of old files: the layers inside run with the weights that the file holds."""
    import subprocess
    import sys

    program = """
import sys
import tf_keras as k
class Wrapper(k.layers.Wrapper):
    def build(self, shape):
        self.layer.build(shape)
        for weight in self.layer.trainable_weights[:1]:
            self.mask = self.add_weight("mask", weight.shape, initializer="ones", trainable=False)
        self.step = self.add_weight("pruning_step", (), initializer="zeros", trainable=False, dtype="int64")
    def call(self, x):
        return self.layer(x)
PruneLowMagnitude = type("PruneLowMagnitude", (Wrapper,), {})
QuantizeWrapperV2 = type("QuantizeWrapperV2", (Wrapper,), {})
k.utils.set_random_seed(1)
x = start = k.layers.Input((8, 8, 3))
x = PruneLowMagnitude(k.layers.Conv2D(4, 3, activation="relu"), name="prune_low_magnitude_conv")(x)
x = QuantizeWrapperV2(k.layers.DepthwiseConv2D(3), name="quant_depthwise")(x)
x = PruneLowMagnitude(k.layers.Dense(2), name="prune_low_magnitude_dense")(k.layers.Flatten()(x))
model = k.Model(start, x)
model.save(sys.argv[1])
import numpy as np
np.save(sys.argv[2], model(np.load(sys.argv[3])))
"""
    source, answers, given = tmp_path / "wrapped.h5", tmp_path / "answers.npy", tmp_path / "given.npy"
    np.save(given, image(2, 8, 8, 3))
    command = [sys.executable, "-c", program, str(source), str(answers), str(given)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    found = opened(source).plan(Recipe())
    told = {one.layer: one for one in found.findings if one.code == "legacy.repaired" and "tfmot" in one.message}
    assert {one.severity for one in told.values()} == {"info", "warning"}
    assert not any(one.code in {"code.custom", "layer.unknown"} for one in found.findings)
    written, new = applied(source, tmp_path / "out.keras")
    assert_verified(written.verification)
    assert drift(run(new, np.load(given)), np.load(answers)) < 1e-6
    assert [type(layer).__name__ for layer in new.layers] == [
        "InputLayer",
        "Conv2D",
        "DepthwiseConv2D",
        "Flatten",
        "Dense",
    ]
    gray, _ = applied(source, tmp_path / "gray.keras", {"do": "change_input", "shape": [8, 8, 1]})
    assert_verified(gray.verification)
