"""Layers replaced by those of another class: arrays go by what they mean, against models that Keras runs."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.analysis.opening import read_model
from core.engine.api import Engine
from core.model.plan import Plan, Written
from tests.core.engine.drive import applied, plan, recipe, saved
from tests.core.engine.small_models import fill
from tests.helpers.contracts import kind as contract_kind

L = keras.layers


def of(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


def wrapped(class_name: str, **config: Any) -> dict[str, Any]:
    return {**of(class_name, **config), "module": "keras.layers", "registered_name": None}


def model_of(shape: tuple[int, ...], layer: Any, nested: bool = False, dtype: str = "float32") -> Any:
    """A model of one layer, which may lie in a model inside and be called twice there."""
    start = keras.Input(shape, dtype=dtype)
    if nested:
        inside = keras.Input(shape, dtype=dtype)
        inner = keras.Model(inside, layer(inside), name="inner")
        model = keras.Model(start, L.Add()([inner(start), inner(start)]))
    else:
        model = keras.Model(start, layer(start))
    fill(model)
    return model


def inputs(model: Any) -> Any:
    rng = np.random.default_rng(4)
    return rng.normal(size=(2, *model.inputs[0].shape[1:])).astype("float32")


def off(new: Any, old: Any) -> float:
    one, other = np.asarray(new, np.float64), np.asarray(old, np.float64)
    return float(np.abs(one - other).max() / np.abs(other).max())


def replaced(model: Any, folder: Path, path: str, config: dict[str, Any], **more: Any) -> tuple[Written, Any]:
    edit = {"do": "replace_layer", "layer": path, "config": config, **more}
    return applied(saved(model, folder), folder / "out.keras", edit)


def messages(found: Plan) -> str:
    return " ".join(one.message for one in found.findings)


SAME = [
    ((8, 8, 3), L.Conv2D, (4, 3), {"padding": "same"}, of("Conv2DTranspose", filters=4, kernel_size=3, padding="same")),
    ((8, 8, 3), L.Conv2D, (3, 5), {"padding": "same"}, of("Conv2DTranspose", filters=3, kernel_size=5, padding="same")),
    ((8, 8, 4), L.Conv2DTranspose, (3, 3), {"padding": "same"}, of("Conv2D", filters=3, kernel_size=3, padding="same")),
    (
        (8, 3),
        L.Conv1D,
        (4, 3),
        {"padding": "same", "dilation_rate": 2},
        of("Conv1DTranspose", filters=4, kernel_size=3, padding="same", dilation_rate=2),
    ),
    (
        (8, 8, 4),
        L.Conv2D,
        (6, 3),
        {"padding": "same", "groups": 2},
        of("Conv2DTranspose", filters=6, kernel_size=3, padding="same"),
    ),
    ((8, 8, 4), L.Conv2D, (6, 1), {}, of("Conv2DTranspose", filters=6, kernel_size=1)),
    ((8, 4), L.Conv1D, (6, 1), {"activation": "relu"}, of("Dense", units=6, activation="relu")),
    ((8, 8, 4), L.Dense, (6,), {}, of("Conv2D", filters=6, kernel_size=1)),
    ((8, 8, 4), L.Dense, (6,), {"use_bias": False}, of("Conv2D", filters=6, kernel_size=1)),
    ((8, 8, 4), L.Dense, (6,), {}, of("Conv2DTranspose", filters=6, kernel_size=1)),
    ((8, 4), L.Dense, (4,), {}, of("EinsumDense", equation="abc,dc->abd", output_shape=(None, 4), bias_axes="d")),
    (
        (8, 4),
        L.EinsumDense,
        ("abc,dc->abd", (None, 4)),
        {"bias_axes": "d"},
        of("Dense", units=4),
    ),
    (
        (8, 8, 4),
        L.DepthwiseConv2D,
        (3,),
        {"depth_multiplier": 2, "padding": "same"},
        of("Conv2D", filters=8, kernel_size=3, padding="same", groups=4),
    ),
    (
        (8, 8, 4),
        L.DepthwiseConv2D,
        (3,),
        {"depth_multiplier": 2, "strides": 2},
        of("Conv2D", filters=8, kernel_size=3, strides=2),
    ),
    ((8, 8, 4), L.Conv2D, (8, 3), {"groups": 4}, of("DepthwiseConv2D", kernel_size=3, depth_multiplier=2)),
    (
        (8, 8, 4),
        L.SeparableConv2D,
        (8, 3),
        {"depth_multiplier": 2, "activation": "tanh"},
        of("Conv2D", filters=8, kernel_size=3, activation="tanh"),
    ),
    ((8, 8, 4), L.DepthwiseConv2D, (3,), {}, of("SeparableConv2D", filters=4, kernel_size=3)),
    ((5, 4), L.TimeDistributed, (L.Dense(3),), {}, of("Dense", units=3)),
    ((5, 4), L.Dense, (3,), {}, of("TimeDistributed", layer=wrapped("Dense", units=3))),
    (
        (5, 8, 8, 3),
        L.TimeDistributed,
        (L.Conv2D(4, 3, padding="same"),),
        {},
        of("Conv3D", filters=4, kernel_size=(1, 3, 3), padding="same"),
    ),
    (
        (5, 8, 8, 3),
        L.Conv3D,
        (4, (1, 3, 3)),
        {},
        of("TimeDistributed", layer=wrapped("Conv2D", filters=4, kernel_size=3)),
    ),
    (
        (8, 8, 4),
        L.SpectralNormalization,
        (L.Conv2D(4, 3, padding="same"),),
        {},
        of("Conv2DTranspose", filters=4, kernel_size=3, padding="same"),
    ),
    ((5, 4), L.LSTM, (6,), {}, of("RNN", cell=wrapped("LSTMCell", units=6))),
    ((5, 4), L.RNN, (L.GRUCell(6),), {}, of("GRU", units=6)),
    (
        (5, 4),
        L.Bidirectional,
        (L.LSTM(6),),
        {},
        of("Bidirectional", layer=wrapped("RNN", cell=wrapped("LSTMCell", units=6))),
    ),
    ((8, 8, 4), L.LeakyReLU, (0.2,), {}, of("PReLU", shared_axes=[1, 2])),
    ((8, 8, 4), L.ReLU, (), {}, of("PReLU")),
]  # fmt: skip


@pytest.mark.parametrize("case", SAME, ids=lambda case: f"{case[1].__name__}-{case[4]['class_name']}")
def test_that_a_layer_of_another_class_computes_the_same_and_says_so(case: Any, tmp_path: Path) -> None:
    shape, kind, args, fields, config = case
    for nested in (False, True):
        model = model_of(shape, kind(*args, **fields, name="old"), nested)
        written, new = replaced(model, tmp_path, "inner/old" if nested else "old", config)
        assert [(contract_kind(one), one.exact) for one in written.plan.contracts] == [("same_input", True)]
        assert written.verification is not None
        assert written.verification.ok
        assert off(new(inputs(model)), model(inputs(model))) < 1e-5
        assert not [one for one in written.plan.findings if one.severity != "info"]


OTHER = [
    ((8, 8, 3), L.Conv2D, (4, 2), {"padding": "same"}, of("Conv2DTranspose", filters=4, kernel_size=2, padding="same")),
    ((8, 8, 3), L.Conv2D, (4, 3), {}, of("Conv2DTranspose", filters=4, kernel_size=3)),
    ((8, 8, 3), L.Conv2D, (4, 3), {"strides": 2}, of("Conv2DTranspose", filters=4, kernel_size=3, strides=2)),
    ((8, 8, 3), L.Conv2D, (4, 1), {"strides": 2}, of("Conv2DTranspose", filters=4, kernel_size=1, strides=2)),
    ((8, 3), L.Conv1D, (4, 3), {"padding": "causal"}, of("Conv1DTranspose", filters=4, kernel_size=3, padding="same")),
]


@pytest.mark.parametrize("case", OTHER, ids=lambda case: str(case[2:4]))
def test_that_a_kernel_which_would_compute_something_else_is_the_persons_choice(case: Any, tmp_path: Path) -> None:
    shape, kind, args, fields, config = case
    model = model_of(shape, kind(*args, **fields, name="old"))
    source = saved(model, tmp_path)
    edit = {"do": "replace_layer", "layer": "old", "config": config}
    found = plan(source, edit)
    (told,) = (one for one in found.findings if one.code == "weight.mismatch")
    assert not found.ok
    assert [one.edits[0].carry for one in told.fixes] == ["meaning", "name", "none"]
    turned, new = applied(source, tmp_path / "out.keras", {**edit, "carry": "meaning"})
    assert turned.plan.ok
    assert "outputs change, because" in messages(turned.plan)
    old_kernel = model.get_layer("old").kernel
    wanted = np.flip(np.asarray(old_kernel), tuple(range(len(shape) - 1))).swapaxes(-1, -2)
    np.testing.assert_array_equal(new.get_layer("old").kernel, wanted)
    anew = plan(source, {**edit, "carry": "none"})
    assert anew.ok
    assert {fate.fate for fate in anew.fates} == {"initialized"}


@pytest.mark.parametrize("class_name", ["LayerNormalization", "GroupNormalization", "RMSNormalization"])
@pytest.mark.parametrize("nested", [False, True])
def test_that_gain_and_offset_go_to_another_normalization(class_name: str, nested: bool, tmp_path: Path) -> None:
    model = model_of((8, 8, 4), L.BatchNormalization(name="old"), nested)
    config = of(class_name, **({"groups": 2} if class_name == "GroupNormalization" else {}))
    path = "inner/old" if nested else "old"
    written, new = replaced(model, tmp_path, path, config)
    was = model.get_layer("inner").get_layer("old") if nested else model.get_layer("old")
    now = new.get_layer("inner").get_layer("old") if nested else new.get_layer("old")
    np.testing.assert_array_equal(now.scale if class_name == "RMSNormalization" else now.gamma, was.gamma)
    if class_name != "RMSNormalization":
        np.testing.assert_array_equal(now.beta, was.beta)
    (told,) = (one for one in written.plan.findings if one.code == "weight.unmatched")
    assert told.severity == "warning"
    assert f"{path}/moving_mean" in told.detail
    assert "moving_variance are dropped" in told.message
    assert "Outputs change" in told.message


def test_that_axes_of_an_equation_which_become_one_keep_their_numbers(tmp_path: Path) -> None:
    for labels in ("de", "e", "d"):
        layer = L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes=labels, name="old")
        model = model_of((5, 4), layer)
        for config in (
            of("Dense", units=6),
            of("EinsumDense", equation="abc,cd->abd", output_shape=(None, 6), bias_axes="d"),
        ):
            written, new = replaced(model, tmp_path, "old", config)
            x = inputs(model)
            np.testing.assert_allclose(new(x), np.reshape(model(x), (2, 5, 6)), rtol=1e-5, atol=1e-6)
            assert [contract_kind(one) for one in written.plan.contracts] != ["same_input"]


def test_that_gains_of_another_axis_are_not_taken_for_those_of_this_one(tmp_path: Path) -> None:
    model = model_of((8, 8, 8), L.BatchNormalization(axis=1, name="old"))
    found = plan(saved(model, tmp_path), {"do": "replace_layer", "layer": "old", "config": of("LayerNormalization")})
    assert {fate.fate for fate in found.fates} == {"initialized"}
    assert "works on axis [1]" in messages(found)


GATES = [
    (L.LSTM(6, name="old"), of("GRU", units=6)),
    (L.GRU(6, name="old"), of("LSTM", units=6)),
    (L.SimpleRNN(6, name="old"), of("LSTM", units=6)),
    (L.LSTM(6, name="old"), of("SimpleRNN", units=6)),
    (L.Bidirectional(L.LSTM(6), name="old"), {"layer": wrapped("GRU", units=6)}),
]


@pytest.mark.parametrize(("layer", "config"), GATES, ids=lambda one: getattr(one, "name", ""))
def test_that_gates_of_another_kind_start_anew_and_that_is_told(layer: Any, config: Any, tmp_path: Path) -> None:
    model = model_of((5, 4), layer)
    written, _ = replaced(model, tmp_path, "old", config)
    assert {fate.fate for fate in written.plan.fates} == {"initialized"}
    (told,) = (one for one in written.plan.findings if one.code == "weight.unmatched")
    assert "gates" in told.message
    assert told.severity == "warning"
    assert [one.edits[0].carry for one in told.fixes] == ["none"]


def test_that_one_direction_becomes_that_of_a_bidirectional_layer_and_back(tmp_path: Path) -> None:
    model = model_of((5, 4), L.LSTM(6, name="old"))
    written, new = replaced(model, tmp_path, "old", of("Bidirectional", layer=wrapped("LSTM", units=6)))
    x = inputs(model)
    np.testing.assert_allclose(new(x)[:, :6], model(x), rtol=1e-5, atol=1e-6)
    assert "old/backward_layer/cell/kernel" in " ".join(one.detail for one in written.plan.findings)
    both = model_of((5, 4), L.Bidirectional(L.GRU(6), name="old"))
    for backwards in (False, True):
        written, new = replaced(both, tmp_path, "old", of("GRU", units=6, go_backwards=backwards))
        half = np.asarray(both(x))[:, 6:] if backwards else np.asarray(both(x))[:, :6]
        np.testing.assert_allclose(new(x), half, rtol=1e-5, atol=1e-6)
        assert len(written.plan.dropped) == 3


def test_that_equal_names_say_nothing_of_other_classes(tmp_path: Path) -> None:
    model = model_of((8, 8, 4), L.Conv2D(4, 3, name="old"))
    edit = {"do": "replace_layer", "layer": "old", "config": of("SeparableConv2D", filters=4, kernel_size=3)}
    found = plan(saved(model, tmp_path), edit)
    assert set(found.dropped) == {"old/kernel", "old/bias"}
    (told,) = (one for one in found.findings if one.code == "weight.unmatched")
    assert [one.edits[0].carry for one in told.fixes] == ["name", "none"]
    by_name = plan(saved(model, tmp_path), {**edit, "carry": "name"})
    assert by_name.dropped == ("old/kernel",)


def test_that_what_earlier_steps_decided_for_a_kernel_goes_along(tmp_path: Path) -> None:
    start = keras.Input((8, 8, 3), name="image")
    model = keras.Model(start, L.Conv2D(4, 3, padding="same", name="old")(start))
    fill(model)
    gray = {"do": "change_input", "shape": [8, 8, 1], "channels": "sum"}
    turn = {
        "do": "replace_layer",
        "layer": "old",
        "config": of("Conv2DTranspose", filters=4, kernel_size=3, padding="same"),
    }
    written, new = applied(saved(model, tmp_path), tmp_path / "out.keras", gray, turn)
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 1)).astype("float32")
    assert off(new(x), model(np.repeat(x, 3, -1))) < 1e-5
    assert written.plan.ok


def test_that_states_and_masks_of_an_old_layer_do_not_reach_a_new_one_that_has_no_use_for_them(tmp_path: Path) -> None:
    start, state = keras.Input((5, 4)), keras.Input((6,))
    masked = L.Masking()(start)
    x = L.LSTM(6, name="old")(masked, initial_state=[state, state])
    model = keras.Model([start, state], x)
    fill(model)
    source = saved(model, tmp_path)
    found = plan(source, {"do": "replace_layer", "layer": "old", "config": of("GRU", units=6)})
    assert found.ok
    found = plan(source, {"do": "replace_layer", "layer": "old", "config": of("GlobalAveragePooling1D")})
    assert found.ok
    assert "initial_state" in messages(found)


def test_that_a_missing_output_is_refused_in_a_sentence(tmp_path: Path) -> None:
    start = keras.Input((5, 4))
    out, hidden, cell = L.LSTM(6, return_state=True, name="old")(start)
    model = keras.Model(start, [out, hidden, cell])
    with pytest.raises(Exception, match="Output 2 of old, counted from 0, is in use"):
        plan(saved(model, tmp_path), {"do": "replace_layer", "layer": "old", "config": of("GRU", units=6)})


def _weight_normalized(folder: Path, nested: bool) -> tuple[Path, Any]:
    """A Keras 2 file with tensorflow-addons' WeightNormalization, whose code Suture does not have."""
    import tensorflow as tf
    import tf_keras as tk

    class WeightNormalization(tk.layers.Wrapper):
        def build(self, shape: Any) -> None:
            self.layer.build(shape)
            self.v = self.layer.kernel
            self.g = self.add_weight(name="g", shape=(self.v.shape[-1],))

        def call(self, x: Any) -> Any:
            norm = tf.norm(tf.reshape(self.v, [-1, self.v.shape[-1]]), axis=0)
            return tf.nn.conv1d(x, self.v / norm * self.g, 1, "SAME") + self.layer.bias

        def compute_output_shape(self, shape: Any) -> Any:
            return self.layer.compute_output_shape(shape)

    tk.utils.register_keras_serializable("Addons")(WeightNormalization)
    start = tk.Input((12, 3))
    layer = WeightNormalization(tk.layers.Conv1D(4, 3, padding="same", name="conv"), name="wn")
    if nested:
        inside = tk.Input((12, 3))
        model = tk.Model(start, tk.Model(inside, layer(inside), name="inner")(start))
    else:
        model = tk.Model(start, layer(start))
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(folder / "wn.h5")
    return folder / "wn.h5", model


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("class_name", ["Conv1D", "Conv1DTranspose"])
def test_that_weight_normalization_becomes_the_kernel_that_it_stands_for(
    class_name: str, nested: bool, tmp_path: Path
) -> None:
    source, model = _weight_normalized(tmp_path, nested)
    path = "inner/wn" if nested else "wn"
    config = of(class_name, filters=4, kernel_size=3, padding="same")
    written, new = applied(source, tmp_path / "out.keras", {"do": "replace_layer", "layer": path, "config": config})
    x = np.random.default_rng(1).normal(size=(2, 12, 3)).astype("float32")
    assert off(new(x), model(x)) < 1e-5
    assert written.plan.dropped == ()
    assert [into for _, into in written.plan.merged] == [f"{path}/kernel"]


def test_that_layers_of_a_keras_2_file_go_to_other_classes(tmp_path: Path) -> None:
    import tf_keras as tk

    start = tk.Input((8, 8, 4))
    x = tk.layers.SeparableConv2D(6, 3, padding="same", name="sep")(start)
    model = tk.Model(start, tk.layers.Conv2D(3, 3, padding="same", name="conv")(x))
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(tmp_path / "old.h5")
    written, new = applied(
        tmp_path / "old.h5",
        tmp_path / "out.keras",
        {"do": "replace_layer", "layer": "sep", "config": of("Conv2D", filters=6, kernel_size=3, padding="same")},
        {
            "do": "replace_layer",
            "layer": "conv",
            "config": of("Conv2DTranspose", filters=3, kernel_size=3, padding="same"),
        },
    )
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 4)).astype("float32")
    assert off(new(x), model(x)) < 1e-5
    assert written.verification is not None
    assert written.verification.ok


def test_that_what_arrays_mean_to_a_persons_own_class_is_the_persons_to_say(tmp_path: Path) -> None:
    code = tmp_path / "own_dense.py"
    code.write_text(
        "import keras\n\n\n@keras.saving.register_keras_serializable('carrying')\n"
        "class RectifiedDense(keras.layers.Dense):\n"
        "    def call(self, x):\n        return keras.ops.relu(super().call(x))\n"
    )
    model = model_of((6,), L.Dense(4, name="old"))
    engine = Engine()
    engine.set_source(read_model(saved(model, tmp_path)), (str(code),))
    edit = {"do": "replace_layer", "layer": "old", "config": of("RectifiedDense", units=4)}
    found = engine.plan(recipe(edit))
    (told,) = (one for one in found.findings if one.code == "weight.unmatched")
    assert "only the code of" in told.message
    assert [one.edits[0].carry for one in told.fixes] == ["name", "none"]
    by_name = engine.plan(recipe(*told.fixes[0].edits))
    assert {fate.fate for fate in by_name.fates} == {"copied"}
