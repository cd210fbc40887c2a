"""Channels followed through whatever keeps them apart: rows go where their channels are, and exact means exact."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from core.edits import ChangeInput, ReplaceFirstConv, SetRule
from core.rules import MapChannels
from core.surgery.anatomy import channel_axis
from tests.core.edits.bench import Bench, drift
from tests.core.engine.drive import applied, assert_verified, outputs, plan, saved
from tests.helpers.contracts import fields as contract_fields
from tests.helpers.contracts import kind as contract_kind

L = keras.layers
SIZE = 6
MAP = MapChannels(take=(2, 0, 1, None))
SHARED = MapChannels(take=(2, 0, 1, 0))
CHANGES: dict[str, tuple[int, Any]] = {
    "sum": (1, "sum"),
    "repeat": (5, "repeat"),
    "zero_extra": (5, "zero_extra"),
    "map": (4, MAP),
    "map with copies": (4, SHARED),
}


def constant(*values: float) -> Any:
    return np.array(values, "float32")


def beside_a_later_map(x: Any) -> Any:
    return L.Concatenate()([L.Conv2D(4, 3, padding="same", name="earlier")(x), x])


# what is done ahead of the convolution, and the changes that are only nearly kept
AHEAD: dict[str, tuple[Any, set[str]]] = {
    "turned round": (lambda x: x[..., ::-1], set()),
    "ops.flip": (lambda x: ops.flip(x, -1), set()),
    "ops.take": (lambda x: ops.take(x, [2, 0, 1], axis=-1), set()),
    "relu": (lambda x: ops.relu(x), {"map with copies"}),
    "square": (lambda x: ops.square(x), {"map with copies"}),
    "abs": (lambda x: ops.abs(x), {"map with copies"}),
    "exp": (lambda x: ops.exp(x), {"map with copies"}),
    "a ReLU layer": (lambda x: L.ReLU()(x), {"map with copies"}),
    "tanh": (lambda x: L.Activation("tanh")(x), {"map with copies"}),
    "Permute": (lambda x: L.Permute((2, 1, 3))(x), set()),
    "there and back": (lambda x: ops.transpose(ops.transpose(x, (0, 3, 1, 2)), (0, 2, 3, 1)), set()),
    "scaled by numbers": (lambda x: 1.0 - x / 127.5, set()),
    "scaled channel by channel": (lambda x: x * constant(1, 2, 3), {"sum"}),
    "turned round and shifted": (lambda x: x[..., ::-1] - constant(0.4, 0.5, 0.6), {"sum"}),
    "turned round and normalized": (lambda x: L.BatchNormalization()(x[..., ::-1]), {"sum"}),
    "normalized row by row": (lambda x: L.BatchNormalization(axis=1)(x), set()),
    "beside itself": (lambda x: L.Concatenate()([x, ops.square(x)[..., ::-1]]), {"map with copies"}),
    "beside a later map": (beside_a_later_map, set()),
    "added to itself": (lambda x: x + ops.relu(x), {"map with copies"}),
    "times a mask": (lambda x: x * ops.max(ops.relu(x), axis=(1, 2), keepdims=True), {"map with copies"}),
    "padded and pooled": (lambda x: L.AveragePooling2D(2)(L.ZeroPadding2D()(x)), set()),
    "reshaped": (lambda x: L.Reshape((4, 9, 3))(x), set()),
    "reshaped with a batch of -1": (lambda x: ops.reshape(x, (-1, 4, 9, 3)), set()),
    "copied side by side": (lambda x: ops.tile(x, (1, 1, 1, 2)), set()),
    "split and joined": (lambda x: L.Concatenate()(ops.split(x, 3, axis=-1)[::-1]), {"sum", "map", "map with copies"}),
    "split at numbers": (lambda x: ops.split(x, [2], axis=-1)[0], {"sum", "map", "map with copies"}),
    "unstacked": (lambda x: ops.stack(ops.unstack(x, axis=-1)[::-1], axis=-1), {"sum", "map", "map with copies"}),
    "cut across": (lambda x: ops.concatenate(ops.split(x, 2, axis=1)[::-1], axis=1), set()),
    "two taken": (lambda x: x[..., :2], {"sum", "map", "map with copies"}),
}


_BY_NUMBER = ("two taken", "split and joined", "split at numbers", "unstacked")


def model(ahead: Any, nested: bool = False) -> Any:
    if nested:
        inside = keras.Input((SIZE, SIZE, 3))
        part = keras.Model(inside, ahead(inside), name="ahead")
        ahead = part
    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    x = L.Conv2D(4, 3, padding="same", name="stem")(ahead(inputs))
    return keras.Model(inputs, L.GlobalAveragePooling2D()(x))


def pair(contract: Any, rng: Any) -> tuple[Any, Any]:
    """An input of the old model and the new one's that must give the same, as the contract words it."""
    fields = contract_fields(contract)
    axis = fields["axis"] - 1

    def some(count: int) -> Any:
        shape = list(fields["shape"])
        shape[axis] = count
        return rng.normal(size=(2, *shape)).astype("float32")

    if contract_kind(contract) == "gray":
        gray = some(1)
        return tuple(np.repeat(gray, fields[side], axis + 1) for side in ("old", "new"))  # type: ignore[return-value]
    if contract_kind(contract) == "old_bands":
        bands = some(fields["old"])
        nothing = 0 * some(fields["new"] - fields["old"])
        return bands, np.concatenate([bands, nothing], axis + 1)
    matrix = np.array(fields["matrix"], "float32")
    x = some(len(matrix))
    return np.moveaxis(np.moveaxis(x, axis + 1, -1) @ matrix, -1, axis + 1), x


def measured(source: Bench, edit: ChangeInput) -> tuple[float, bool]:
    """How far the contract is off, and whether it calls itself exact."""
    (contract,) = source.outcome(edit).contracts
    old, new = pair(contract, np.random.default_rng(3))
    return drift(source.built(edit)(new), source.old(old)), contract.exact


@pytest.mark.parametrize("name", AHEAD)
def test_that_exact_is_said_where_it_is_and_only_there(name: str) -> None:
    ahead, lossy = AHEAD[name]
    source = Bench(model(ahead))
    for change, (count, rule) in CHANGES.items():
        if name in _BY_NUMBER and change == "sum":
            continue  # an error of its own
        edit = ChangeInput(shape=(SIZE, SIZE, count), channels=rule)
        off, exact = measured(source, edit)
        assert exact == (change not in lossy), (change, off)
        assert (off < 1e-5) == exact, (change, off)


@pytest.mark.parametrize("name", ["turned round", "relu", "beside itself", "turned round and normalized"])
def test_that_channels_are_followed_into_a_nested_model(name: str) -> None:
    ahead, lossy = AHEAD[name]
    source = Bench(model(ahead, nested=True))
    for change, (count, rule) in CHANGES.items():
        off, exact = measured(source, ChangeInput(shape=(SIZE, SIZE, count), channels=rule))
        assert exact == (change not in lossy), (change, off)
        assert (off < 1e-5) == exact, (change, off)


def two_inputs() -> Any:
    one, two = keras.Input((3,), name="one"), keras.Input((4,), name="two")
    return keras.Model([one, two], L.Dense(2, name="dense")(L.Concatenate()([one, two])))


@pytest.mark.parametrize(("name", "old"), [("one", 3), ("two", 4)])
@pytest.mark.parametrize("by_hand", [False, True])
def test_that_new_rows_stand_beside_those_of_their_own_input(name: str, old: int, by_hand: bool) -> None:
    source = Bench(two_inputs())
    edits: list[Any] = [ChangeInput(input=name, shape=(old + 2,), channels="zero_extra")]
    if by_hand:
        edits.append(SetRule(weight="dense/kernel", rule="zero_extra"))
    rng = np.random.default_rng(3)
    given = {"one": rng.normal(size=(2, 3)).astype("float32"), "two": rng.normal(size=(2, 4)).astype("float32")}
    longer = {**given, name: np.concatenate([given[name], rng.normal(size=(2, 2))], -1).astype("float32")}
    wanted = source.old(*given.values())
    assert drift(source.built(*edits)(*longer.values()), wanted) < 1e-6


def test_that_a_picture_beside_numbers_is_followed_through_flatten() -> None:
    image, numbers = keras.Input((3, 4, 3), name="image"), keras.Input((5,), name="numbers")
    joined = L.Concatenate()([numbers, L.Flatten()(image[..., ::-1])])
    source = Bench(keras.Model([image, numbers], L.Dense(2, name="dense")(joined)))
    edit = ChangeInput(input="image", shape=(3, 4, 5), channels="zero_extra")
    rng = np.random.default_rng(3)
    x, extra, y = (rng.normal(size=shape).astype("float32") for shape in ((2, 3, 4, 3), (2, 3, 4, 2), (2, 5)))
    assert drift(source.built(edit)(np.concatenate([x, extra], -1), y), source.old(x, y)) < 1e-6


@pytest.mark.parametrize(("count", "rule"), [(1, "sum"), (12, "repeat"), (9, "zero_extra"), (8, "zero_extra")])
@pytest.mark.parametrize("normalized", [False, True])
def test_that_groups_see_their_own_channels(count: int, rule: str, normalized: bool) -> None:
    inputs = keras.Input((SIZE, SIZE, 6))
    x = L.BatchNormalization()(inputs) if normalized else inputs
    source = Bench(keras.Model(inputs, L.Conv2D(12, 3, groups=3, name="stem")(x)))
    off, exact = measured(source, ChangeInput(shape=(SIZE, SIZE, count), channels=rule))
    assert exact == (off < 1e-5)
    assert exact or (normalized and rule == "sum")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("rule", ["project", "widen"])
def test_that_filters_and_channels_of_groups_change_one_after_the_other(turned: bool, rule: Any) -> None:
    inputs = keras.Input((SIZE, SIZE, 6))
    x = L.Conv2D(12, 3, groups=3, name="stem")(inputs)
    source = Bench(keras.Model(inputs, L.Conv2D(2, 1, name="next")(x)))
    edits: list[Any] = [
        ChangeInput(shape=(SIZE, SIZE, 9), channels="zero_extra"),
        ReplaceFirstConv(filters=24, filters_rule=rule),
    ]
    bands = np.random.default_rng(3).normal(size=(2, SIZE, SIZE, 9)).astype("float32")
    built = source.built(*(reversed(edits) if turned else edits))
    assert drift(built(bands), source.old(bands[..., :6])) < 1e-5
    more = ChangeInput(shape=(SIZE, SIZE, 12), channels="zero_extra")
    wide = np.concatenate([bands, bands[..., :3]], -1)
    again = source.built(*(reversed(edits) if turned else edits), more)
    assert drift(again(wide), source.old(bands[..., :6])) < 1e-5


@pytest.mark.parametrize("axis", [-1, (1, 2, 3), 1, None, (1, 3), (1, 2)])
def test_that_a_normalization_over_any_axes_is_folded_or_told(axis: Any) -> None:
    norm = L.Normalization(axis=axis)
    norm.adapt(np.random.default_rng(0).normal(2.0, size=(16, SIZE, SIZE, 3)).astype("float32"))
    source = Bench(model(norm), seed=None)
    edit = ChangeInput(shape=(SIZE, SIZE, 1))
    off, exact = measured(source, edit)
    assert exact == (off < 1e-5)
    told = {one.code for one in source.outcome(edit).findings}
    assert ("adapt.lossy" in told) != exact


@pytest.mark.parametrize("order", [(2, 3, 1), (1, 2, 3)])
def test_that_the_channel_axis_is_the_one_that_the_convolution_takes(order: Any) -> None:
    inputs = keras.Input((3, 8, 8) if order == (2, 3, 1) else (8, 8, 3), name="image")
    source = Bench(keras.Model(inputs, L.Conv2D(4, 3, name="stem")(L.Permute(order)(inputs))))
    assert channel_axis(source.graph, "image") == (1 if order == (2, 3, 1) else 3)


FIRST: dict[str, Any] = {
    "turned round": lambda x: x[:, ::-1],
    "a constant": lambda x: x * constant(1, 2, 3).reshape(3, 1, 1),
    "normalized": lambda x: L.BatchNormalization(axis=1)(x),
    "beside itself": lambda x: L.Concatenate(axis=1)([x, ops.square(x)]),
}


@pytest.mark.parametrize("name", FIRST)
def test_that_channels_that_come_first_are_followed_too(name: str) -> None:
    inputs = keras.Input((3, SIZE, SIZE))
    stem = L.Conv2D(4, 3, padding="same", data_format="channels_first", name="stem")
    source = Bench(keras.Model(inputs, stem(FIRST[name](inputs))))
    for count, rule in ((5, "repeat"), (5, "zero_extra")):
        off, exact = measured(source, ChangeInput(shape=(count, SIZE, SIZE), channels=rule))
        assert exact
        assert off < 1e-5


@pytest.mark.parametrize(
    "ahead", [lambda x: L.Softmax()(x), lambda x: ops.sort(x, axis=-1), lambda x: L.UnitNormalization()(x)]
)
def test_that_what_is_not_known_is_told_and_offers_no_click_that_misplaces_rows(ahead: Any, tmp_path: Path) -> None:
    found = plan(saved(model(ahead), tmp_path), {"do": "change_input", "shape": [SIZE, SIZE, 5]})
    assert not found.ok
    assert "graph.opaque" in {one.code for one in found.findings}
    titles = [fix.title for one in found.findings if one.code == "weight.mismatch" for fix in one.fixes]
    assert titles == ["Reinitialize it"]


def test_that_the_offered_convolution_ahead_of_the_model_keeps_the_old_bands(tmp_path: Path) -> None:
    source = model(lambda x: L.Softmax()(x))
    path = saved(source, tmp_path)
    change = {"do": "change_input", "shape": [SIZE, SIZE, 5], "channels": "zero_extra"}
    fixes = [fix for one in plan(path, change).findings for fix in one.fixes if "convolution before" in fix.title]
    written, new = applied(path, tmp_path / "new.keras", *fixes[0].edits)
    assert_verified(written.verification)
    x = np.random.default_rng(3).normal(size=(2, SIZE, SIZE, 5)).astype("float32")
    np.testing.assert_allclose(outputs(new, x)[0], outputs(source, x[..., :3])[0], atol=1e-5)


def test_that_channels_which_are_an_output_promise_nothing() -> None:
    inputs = keras.Input((SIZE, SIZE, 3))
    source = Bench(keras.Model(inputs, [L.Conv2D(4, 3)(inputs), L.ReLU(name="itself")(inputs)]))
    edit = ChangeInput(shape=(SIZE, SIZE, 1))
    assert source.outcome(edit).contracts == ()
    assert "itself" in {one.layer for one in source.outcome(edit).findings}


@pytest.mark.parametrize("name", _BY_NUMBER)
def test_that_channels_taken_by_numbers_that_are_gone_are_an_error(name: str) -> None:
    source = Bench(model(AHEAD[name][0]))
    edit = ChangeInput(shape=(SIZE, SIZE, 1))
    assert "error" in {one.severity for one in source.outcome(edit).findings}


@pytest.mark.parametrize("kind", ["turned round", "groups", "causal"])
def test_that_old_files_are_followed_as_well(kind: str, tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    if kind == "causal":
        inputs = layers.Input((10, 3))
        old = tf_keras.Model(inputs, layers.Conv1D(4, 3, padding="causal", name="stem")(inputs))
        edit: dict[str, Any] = {"do": "replace_first_conv", "kernel_size": 5}
    elif kind == "groups":
        inputs = layers.Input((SIZE, SIZE, 6))
        old = tf_keras.Model(inputs, layers.Conv2D(6, 3, groups=3, name="stem")(inputs))
        edit = {"do": "replace_first_conv", "filters": 12}
    else:
        inputs = layers.Input((SIZE, SIZE, 3))
        old = tf_keras.Model(inputs, layers.Conv2D(6, 3, name="stem")(inputs[..., ::-1]))
        edit = {"do": "change_input", "shape": [SIZE, SIZE, 5], "channels": "zero_extra"}
    path = tmp_path / "old.h5"
    old.save(path)
    written, new = applied(path, tmp_path / "new.keras", edit)
    assert_verified(written.verification)
    x = np.random.default_rng(3).normal(size=(2, *old.input_shape[1:])).astype("float32")
    more = np.concatenate([x, x[..., :2]], -1) if kind == "turned round" else x
    np.testing.assert_allclose(outputs(new, more)[0], np.asarray(old(x)), atol=1e-5)
