"""The table of layer classes is held against Keras's own objects: every class has a row, and every row is so."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from core.layers import table
from core.layers.axes import axes_of
from core.layers.rows import ROWS, Row
from core.layers.weight_table import slots
from core.model.graph import Layer

SHAPES = {0: (6, 5), 1: (6, 5), 2: (8, 8, 5), 3: (4, 5, 6, 5)}
"""A sample by the rank of the map, all with 5 channels."""
ARGUMENTS: dict[str, Any] = {
    "activation": "tanh", "equation": "abc,cd->abd", "factor": 0.5, "filters": 3, "height": 4, "height_factor": 0.3,
    "input_dim": 7, "kernel_size": 2, "max_number": 3, "n": 4, "num_tokens": 6, "output_dim": 3,
    "output_size": 2, "pool_size": 2, "rate": 0.3, "scale": 2.5, "stddev": 0.3, "target_shape": (5, 6), "dims": (2, 1),
    "units": 3, "width": 4, "width_factor": 0.3, "num_bins": 4, "axes": 1, "num_heads": 2, "key_dim": 3, "head_dim": 3,
    "num_query_heads": 4, "num_key_value_heads": 2, "projection_dim": 5, "init_values": 0.3, "drop_path_rate": 0.3,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "EinsumDense": {"output_shape": (None, 3), "bias_axes": "d"},
    "ActivityRegularization": {"l2": 0.1},
    "GroupNormalization": {"groups": 1},
    "Masking": {"mask_value": 2.0},
    "ReLU": {"negative_slope": 0.1},
    "Cropping2D": {"cropping": 1},
    "RandomPosterization": {"factor": 4},
    "ReversibleEmbedding": {"tie_weights": False},
}
INSIDE: dict[str, Callable[[], Any]] = {
    "TimeDistributed": lambda: keras.layers.Dense(3),
    "SpectralNormalization": lambda: keras.layers.Dense(3),
    "Bidirectional": lambda: keras.layers.LSTM(3),
    "RNN": lambda: keras.layers.GRUCell(3),
}
UNBUILT = {"Layer", "Wrapper", "InputLayer", "Lambda", "Pipeline"} | table.classes(kind=("foreign", "cell", "audio"))
"""Classes that are nothing by themselves, or that need code; those for sound are too slow to try."""
WORDS = table.classes(kind=("lookup", "encoding"))
ONE = sorted(
    name for name, row in ROWS.items() if not row.several and name not in UNBUILT | WORDS | {"AugMix", "RandAugment"}
)
"""Classes that a test can call on one tensor of numbers."""
COLOURS = {"AugMix", "RandAugment", "RandomGrayscale", "RandomColorJitter", "RandomHue", "RandomSaturation"} | {
    "RandomColorDegeneration", "RandomContrast", "RandomSharpness", "RandomPosterization", "RandomGaussianBlur",
    "ContrastLimitedAdaptiveHistogramEqualization", "Equalization",
}  # fmt: skip


@cache
def classes() -> dict[str, Any]:
    """Keras's own classes by the names of the rows."""
    from keras.src.applications import convnext, inception_resnet_v2

    return {
        name: next(
            getattr(place, name) for place in (keras.layers, convnext, inception_resnet_v2) if hasattr(place, name)
        )
        for name in ROWS
    }


def made(name: str, **further: Any) -> Any:
    """A layer of the class with some settings."""
    kind = classes()[name]
    wanted = inspect.signature(kind).parameters
    needed = {
        key: ARGUMENTS[key]
        for key, one in wanted.items()
        if key in ARGUMENTS and (one.default is one.empty or key == "num_tokens")
    }
    given = {**needed, **OWN.get(name, {}), **further}
    return kind(INSIDE[name](), **given) if name in INSIDE else kind(**given)


def sample(row: Row, channels: int = 5) -> tuple[int, ...]:
    rank = row.rank + (row.family == "recurrent" and row.kind == "map")
    shape = SHAPES[rank] if row.kind != "map" else (4, *SHAPES[row.rank])
    return (*shape[:-1], channels)


def numbers(name: str, seed: int = 0) -> Any:
    row = ROWS[name]
    rng = np.random.default_rng(seed)
    if row.family == "embedding":
        return rng.integers(0, 7, (2, 4)).astype("int32")
    shape = (5,) if name == "RepeatVector" else sample(row, 3 if name in COLOURS else 5)
    values = rng.normal(size=(2, *shape)).astype("float32")
    if row.family == "augmentation" or name in ("Resizing", "CenterCrop"):
        values = np.clip(values * 50 + 100, 0, 255)
    if name == "Masking":
        values[:, 1] = 2.0
    return values


def run(layer: Any, values: Any) -> Any:
    training = {"training": False} if "training" in inspect.signature(layer.call).parameters else {}
    return np.asarray(layer(values, **training))


def exported() -> dict[str, type]:
    """Every layer class of `keras.layers` by the name that Keras serialises it under."""
    found: dict[str, type] = {}
    for name in dir(keras.layers):
        value = getattr(keras.layers, name)
        if inspect.isclass(value) and issubclass(value, keras.layers.Layer):
            registered = keras.saving.get_registered_name(value)
            found[name if value.__name__ not in dir(keras.layers) else registered] = value
    return found


def test_that_every_class_that_keras_exports_has_a_row() -> None:
    assert [name for name in exported() if table.family(name) is None] == []


def test_that_every_row_is_a_class_of_keras() -> None:
    names = {name for name, row in ROWS.items() if row.module == "keras.layers"}
    assert names == set(exported())
    for name, row in ROWS.items():
        if row.module != "keras.layers":
            assert classes()[name].__module__ == row.module


@pytest.mark.parametrize("name", sorted(ROWS))
def test_that_a_row_has_the_settings_that_the_constructor_takes(name: str) -> None:
    fields = table.fields(name)
    if fields is None:
        return
    taken: dict[str, Any] = {}
    narrow = False
    for base in classes()[name].__mro__:
        if "__init__" in vars(base) and base.__module__.startswith("keras"):
            parameters = inspect.signature(vars(base)["__init__"]).parameters
            taken = {**parameters, **taken}
            if not any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
                narrow = base is not keras.layers.Layer
                break
    named = {key for key, one in taken.items() if key != "self" and one.kind is not one.VAR_KEYWORD}
    named -= {"args"}
    unnamed = {"trainable", "dtype", "autocast", "rms_scaling", "vocabulary_size", "activity_regularizer", "name"}
    assert fields - unnamed <= named
    own = {
        key for key, one in inspect.signature(classes()[name]).parameters.items()
        if key not in ("self", "kwargs", "args") and one.kind is not one.VAR_KEYWORD
    }  # fmt: skip
    assert own - fields == set()
    assert not narrow or fields & unnamed <= named | {"rms_scaling", "vocabulary_size"}
    for field, value in ROWS[name].defaults.items():
        default = taken[field].default
        assert default == value or set(np.ravel(default)) == {value}


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row.call is not None))
def test_that_a_row_has_the_arguments_of_the_call(name: str) -> None:
    parameters = list(inspect.signature(classes()[name].call).parameters)[1:]
    assert ROWS[name].call == tuple(parameters)


@pytest.mark.parametrize("name", ONE)
def test_that_a_row_has_the_arrays_that_keras_makes_in_order(name: str) -> None:
    layer = made(name)
    run(layer, numbers(name))
    config = keras.saving.serialize_keras_object(layer)["config"]
    found = slots(name, config)
    names = [one.path.rpartition("/")[2] for one in layer.weights]
    if names != ["variable"]:  # Keras Applications name theirs not at all
        assert [slot.name.rpartition("/")[2] for slot in found] == names
    assert [slot.trainable for slot in found] == [one.trainable for one in layer.weights]
    graph = Layer(name="x", class_name=name, config=config)
    for slot, weight in zip(found, layer.weights, strict=True):
        axes, shape = axes_of(graph, slot.name, tuple(weight.shape)), tuple(weight.shape)
        # 5 channels go in, 3 come out, kernels are 2 wide; a table has 7 rows
        assert all(shape[axis] == 2 for axis in axes.spatial)
        assert axes.channels is None or shape[axes.channels] == 5
        assert axes.filters is None or shape[axes.filters] == (3 if axes.filters != axes.channels else 5)
        assert axes.positions is None or shape[axes.positions] == 7
        if axes.kind in ("kernel", "depthwise"):
            assert axes.channels is not None


@pytest.mark.parametrize("name", ONE)
def test_that_a_row_is_idle_where_keras_hands_on_what_it_gets(name: str) -> None:
    further = {"mean": 0.5, "variance": 2.0} if name == "Normalization" else {}
    layer, values = made(name, **further), numbers(name)
    found = run(layer, values)
    same = found.shape == values.shape and bool(np.array_equal(found, values))
    assert same == (ROWS[name].idle or name in ("Identity", "RandomCrop"))


def test_that_a_random_crop_is_not_called_idle_because_keras_gives_it_another_shape() -> None:
    layer = made("RandomCrop")
    assert layer.compute_output_shape((None, 8, 8, 3)) == (None, 4, 4, 3)
    assert not table.idle("RandomCrop")


@pytest.mark.parametrize("name", sorted(table.classes(same_shape=True) & set(ONE)))
def test_that_a_row_keeps_the_shape_where_keras_does(name: str) -> None:
    values = numbers(name)
    if ROWS[name].module == "keras.layers":  # Keras Applications do not say
        assert tuple(made(name).compute_output_shape(values.shape)) == values.shape
    assert run(made(name), values).shape == values.shape


@pytest.mark.parametrize("name", sorted(set(ONE) - table.classes(same_shape=True) - table.classes(acts="tokens")))
def test_that_a_row_does_not_keep_the_shape_where_keras_does_not(name: str) -> None:
    values = numbers(name)
    made_of = {"padding": "valid"} if "padding" in (table.fields(name) or ()) and ROWS[name].kind != "padding" else {}
    layer = made(name, **made_of)
    if ROWS[name].acts or ROWS[name].family == "wrapper":
        assert tuple(layer.compute_output_shape(values.shape)) != values.shape


@pytest.mark.parametrize("name", sorted(table.classes(acts="number") & set(ONE)))
def test_that_numbers_are_treated_one_by_one_and_alike(name: str) -> None:
    layer, values = made(name), numbers(name)[:1]
    order = np.random.default_rng(1).permutation(values.size)
    moved = values.reshape(-1)[order].reshape(values.shape)
    np.testing.assert_allclose(
        run(layer, moved).reshape(-1), run(layer, values).reshape(-1)[order], rtol=1e-6, atol=1e-6
    )


def _touched(name: str, layer: Any) -> set[int]:
    """The channels that come out otherwise when channel 1 of the 5 (or 3) goes in otherwise."""
    values = numbers(name)
    before = run(layer, values)
    values[..., 1] = numbers(name, seed=5)[..., 1]
    after = run(layer, values)
    return {place for place in range(before.shape[-1]) if not np.allclose(before[..., place], after[..., place])}


@pytest.mark.parametrize("name", sorted(table.classes(acts=("channel", "map")) & set(ONE)))
def test_that_channels_pass_through_one_by_one(name: str) -> None:
    layer = made(name)
    assert run(layer, numbers(name)).shape[-1] == numbers(name).shape[-1]
    assert _touched(name, layer) == {1}


@pytest.mark.parametrize("name", sorted(table.classes(acts="filter")))
def test_that_a_filter_gives_several_results_for_each_channel(name: str) -> None:
    assert _touched(name, made(name, depth_multiplier=2)) == {2, 3}


@pytest.mark.parametrize("name", sorted(table.classes(acts=("mixing", "across")) & set(ONE)))
def test_that_channels_mix(name: str) -> None:
    layer = made(name)
    assert _touched(name, layer) == set(range(run(layer, numbers(name)).shape[-1]))


@pytest.mark.parametrize("name", sorted(table.classes(acts="together")))
def test_that_several_tensors_are_combined_number_by_number(name: str) -> None:
    layer, rng = made(name), np.random.default_rng(0)
    one, other = rng.normal(size=(2, 1, 4, 3)).astype("float32")
    order = rng.permutation(12)
    moved = [value.reshape(-1)[order].reshape(1, 4, 3) for value in (one, other)]
    np.testing.assert_allclose(
        np.asarray(layer(moved)).reshape(-1), np.asarray(layer([one, other])).reshape(-1)[order], rtol=1e-6
    )


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row.rank and name in ONE))
def test_that_a_row_knows_where_the_channels_lie(name: str) -> None:
    row = ROWS[name]
    if "data_format" not in (table.fields(name) or ()):
        return
    layer = made(name, data_format="channels_first")
    places = sample(row)[:-1] if row.kind == "map" else SHAPES[row.rank][:-1]
    channels = 3 if name in COLOURS else 5
    shape = (None, *places[: len(places) - row.rank], channels, *places[len(places) - row.rank :])
    axis = table.channel_axis(name, {"data_format": "channels_first"}, len(shape))
    assert shape[axis] == channels
    assert table.channel_axis(name, {}, len(shape)) == len(shape) - 1
    found = tuple(layer.compute_output_shape(shape))
    expected = 3 if row.acts == "mixing" else channels
    assert found[axis if len(found) == len(shape) else 1] == expected


@pytest.mark.parametrize(
    "name", sorted(name for name, row in ROWS.items() if (row.arrays or row.inside) and name in ONE)
)
def test_that_a_row_knows_whether_a_frozen_layer_stays_frozen(name: str) -> None:
    layer = made(name)
    layer.trainable = False
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    run(again, numbers(name))
    assert any(weight.trainable for weight in again.weights) == ROWS[name].forgets


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row.parts))
def test_that_attention_forgets_that_it_was_frozen_and_looks_across_channels(name: str) -> None:
    layer = made(name)
    values = np.random.default_rng(0).normal(size=(1, 4, 5)).astype("float32")
    np.asarray(layer(values, values))
    layer.trainable = False
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    np.asarray(again(values, values))
    assert any(weight.trainable for weight in again.weights) == ROWS[name].forgets
    config = keras.saving.serialize_keras_object(layer)["config"]
    found = slots(name, config)
    for slot, weight in zip(found, layer.weights, strict=True):
        axes = axes_of(Layer(name="x", class_name=name, config=config), slot.name, tuple(weight.shape))
        assert axes.kind != "kernel" or weight.shape[axes.channels or 0] == 5
    assert sum(
        axes_of(Layer(name="x", class_name=name), slot.name, tuple(weight.shape)).kind == "kernel"
        for slot, weight in zip(found, layer.weights, strict=True)
    ) == 3  # fmt: skip


@pytest.mark.parametrize("name", sorted(table.classes(kind=("units", "map"), family="recurrent")))
def test_that_a_row_counts_the_states(name: str) -> None:
    layer = made(name, return_state=True)
    assert len(layer(numbers(name))) == 1 + ROWS[name].states


@pytest.mark.parametrize("name", sorted(table.classes(sized="nothing")))
def test_that_classes_without_arrays_have_none_at_any_shape(name: str) -> None:
    layer = made(name)
    layer([numbers(name), numbers(name)] if ROWS[name].several else numbers(name))
    assert layer.weights == []


def _built(name: str, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    layer = made(name)
    layer.build((None, *shape))
    return [tuple(weight.shape) for weight in layer.weights]


@pytest.mark.parametrize("name", sorted(table.classes(sized=("channels", "last")) & set(ONE)))
def test_that_arrays_follow_the_channels_alone(name: str) -> None:
    shape = sample(ROWS[name])
    longer = (*(size + 2 for size in shape[:-1]), shape[-1])
    assert _built(name, shape) == _built(name, longer)


def test_that_nothing_is_promised_of_a_class_without_a_row() -> None:
    row = table.row("Nobody's")
    assert not any((row.idle, row.same_shape, row.acts, row.arrays, row.call))
    assert table.family("Nobody's") is None
    assert table.fields("Nobody's") is None


def test_that_only_a_linear_activation_hands_on_what_it_gets() -> None:
    assert table.idle("Activation", {"activation": "linear"})
    assert not table.idle("Activation", {"activation": "relu"})


@pytest.mark.parametrize("name", ONE)
def test_that_a_row_knows_what_follows_the_statistics_of_batches(name: str) -> None:
    layer, values = made(name), numbers(name)
    if ROWS[name].family != "normalization":
        assert not table.tracks_batches(name)
        return
    run(layer, values)
    before = [np.asarray(weight) for weight in layer.weights]
    layer(values, **({"training": True} if "training" in (ROWS[name].call or ()) else {}))
    moved = any(not np.array_equal(old, np.asarray(new)) for old, new in zip(before, layer.weights, strict=True))
    assert moved == table.tracks_batches(name)
