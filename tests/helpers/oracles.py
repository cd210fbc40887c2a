"""What an edit must leave equal, worked out from two files with plain Keras and NumPy: nothing here asks the engine.

Each contract kind has an evaluation of its own. Models are called eagerly with their input checks off, so that a model
may be run at the size it had before: its layers compute at any size that their weights allow.
"""

import contextlib
import inspect
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]
Inputs = dict[str, Array]
_COUNT = 2


@contextlib.contextmanager
def any_size() -> Iterator[None]:
    """Models take inputs of other sizes than they declare."""
    with (
        patch("keras.src.models.functional.Functional.input_spec", None),
        patch("keras.src.models.sequential.Sequential.input_spec", None, create=True),
    ):
        yield


_FIRST = ("conv", "depthwise_conv", "separable_conv", "conv_transpose", "average_pool", "max_pool")


@contextlib.contextmanager
def on_a_cpu() -> Iterator[None]:
    """What TensorFlow on a CPU cannot do in double precision, done another way: channels first are brought to the back,
    and the largest numbers are looked for in single precision.
    """

    def around(function: Any) -> Any:
        names = inspect.signature(function)

        def call(*args: Any, **kwargs: Any) -> Any:
            given = names.bind(*args, **kwargs).arguments
            first, x = given.get("data_format") == "channels_first", given["inputs"]
            dtype = x.dtype
            if first:
                x, given["data_format"] = tf.experimental.numpy.moveaxis(x, 1, -1), "channels_last"
            given["inputs"] = tf.cast(x, tf.float32) if function.__name__ == "max_pool" else x
            found = tf.cast(function(**given), dtype)
            return tf.experimental.numpy.moveaxis(found, -1, 1) if first else found

        return call

    with contextlib.ExitStack() as stack:
        for name in _FIRST:
            function = getattr(keras.src.backend.nn, name)
            stack.enter_context(patch(f"keras.src.backend.nn.{name}", around(function)))
        yield


def input_names(model: Any) -> list[str]:
    return [tensor._keras_history.operation.name for tensor in model.inputs]


def drawn(model: Any, **shapes: Any) -> Inputs:
    """Seeded inputs by name; `shapes` replaces the declared ones."""
    rng = np.random.default_rng(5)
    found: Inputs = {}
    count = next((tensor.shape[0] for tensor in model.inputs if tensor.shape[0]), _COUNT)
    for name, tensor in zip(input_names(model), model.inputs, strict=True):
        shape = (tensor.shape[0] or count, *(shapes.get(name) or (size or 12 for size in tensor.shape[1:])))
        if "int" in tensor.dtype:
            found[name] = rng.integers(0, 5, shape).astype(tensor.dtype)
        else:
            found[name] = rng.normal(size=shape).astype(np.float32)
    return found


def run(model: Any, inputs: Mapping[str, Array]) -> list[Array]:
    """The outputs of a model on inputs by name."""
    given = [inputs[name] for name in input_names(model)]
    with any_size(), on_a_cpu():
        found = model(given[0] if len(given) == 1 else given, training=False)
    return [np.asarray(one, np.float64) for one in keras.tree.flatten(found)]


def inner(model: Any, inputs: Mapping[str, Array], tensors: list[Any]) -> list[Array]:
    """Tensors inside a model on inputs by name."""
    part = keras.Model(model.inputs[0] if len(model.inputs) == 1 else model.inputs, tensors)
    given = [inputs[name] for name in input_names(model)]
    with any_size(), on_a_cpu():
        found = part(given[0] if len(given) == 1 else given, training=False)
    return [np.asarray(one, np.float64) for one in keras.tree.flatten(found)]


def off(new: list[Array], old: list[Array]) -> float:
    """The largest difference over the largest value; infinite where shapes differ."""
    if [one.shape for one in new] != [one.shape for one in old]:
        return float("inf")
    scale = [float(np.max(np.abs(one))) or 1.0 for one in old]
    return max((float(np.max(np.abs(a - b))) / c for a, b, c in zip(new, old, scale, strict=True)), default=0.0)


def _same_input(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    given = drawn(old)
    return off(run(new, given), run(old, given))


def _gray(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    name, axis, shape = fields["input"], fields["axis"] - 1, list(fields["shape"])
    shape[axis] = 1
    gray = drawn(old, **{name: [size or 12 for size in shape]})
    one, two = ({**gray, name: np.repeat(gray[name], fields[side], axis=axis + 1)} for side in ("old", "new"))
    return off(run(new, two), run(old, one))


def _old_bands(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    name, axis, shape = fields["input"], fields["axis"], [size or 12 for size in fields["shape"]]
    shape[axis - 1] = fields["old"]
    given = drawn(old, **{name: shape})
    more = list(given[name].shape)
    more[axis] = fields["new"] - fields["old"]
    wide = np.concatenate([given[name], np.zeros(more, np.float32)], axis=axis)
    return off(run(new, {**given, name: wide}), run(old, given))


def _mapped(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    name, axis, shape = fields["input"], fields["axis"], [size or 12 for size in fields["shape"]]
    matrix = np.asarray(fields["matrix"], np.float64)
    shape[axis - 1] = len(matrix)
    given = drawn(old, **{name: shape})
    mixed = np.moveaxis(np.tensordot(given[name], matrix, axes=([axis], [0])), -1, axis).astype(np.float32)
    return off(run(new, given), run(old, {**given, name: mixed}))


def _old_size(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    given = drawn(old)
    try:
        found = run(new, given)
    except ValueError:  # Keras's SpectralNormalization holds on to its last axis, whichever that is
        inputs = [keras.Input(batch_shape=one.shape, dtype=one.dtype, name=one.name) for one in old.inputs]
        again = keras.models.clone_model(new, input_tensors=inputs if len(inputs) > 1 else inputs[0])
        again.set_weights(new.get_weights())
        found = run(again, given)
    return off(found, run(old, given))


def _adapted(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    """The adapter is known by its name and is itself plain Keras; the rest must be the old model."""
    given = drawn(new)
    arrived = inner(new, given, [new.get_layer(fields["layer"]).output])[0].astype(np.float32)
    return off(run(new, given), run(old, {**given, fields["input"]: arrived}))


def _padded(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    given, gaps = drawn(new), [(0, 0), *fields["gaps"]]
    found = run(old, {**given, fields["input"]: np.pad(given[fields["input"]], gaps)})
    inside = (slice(None), *(slice(low, -high or None) for low, high in fields["gaps"]))
    return off(run(new, given), [one[inside] if at in fields["crop"] else one for at, one in enumerate(found)])


def _features(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    given = drawn(new)
    sides = []
    for place, model in enumerate((new, old)):
        tensors = [at(model, pair[place]) for pair in fields["pairs"]]
        sides.append(inner(model, {**drawn(model), **given}, tensors))
    if fields.get("pool"):
        reduce = np.mean if fields["pool"] == "avg" else np.max
        first = fields["first"]
        sides[1] = [
            reduce(one, axis=tuple(range(2, one.ndim) if first else range(1, one.ndim - 1))) for one in sides[1]
        ]
    return off(*sides)


def _batch(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    """Samples are answered one by one, whatever the batch: each model gets as many as it takes, the same again."""
    given, wanted = drawn(new), {name: len(value) for name, value in drawn(old).items()}
    fed = {name: np.resize(value, (wanted[name], *value.shape[1:])) for name, value in given.items()}
    found, held = run(new, given), run(old, fed)
    rows = [min(len(one), len(two)) for one, two in zip(found, held, strict=True)]
    return off(
        [one[:count] for one, count in zip(found, rows, strict=True)],
        [one[:count] for one, count in zip(held, rows, strict=True)],
    )


def _classes(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    """Columns of the classifier ahead of its activation."""
    given = drawn(new)
    found = []
    for side, model in (("new", new), ("old", old)):
        layer = layer_of(model, fields["layer"])
        kept, layer.activation = layer.activation, keras.activations.linear
        try:
            values = inner(model, given, [at(model, [fields["layer"], fields.get("calls") or [0], 0])])[0]
        finally:
            layer.activation = kept
        found.append(np.take(values, fields[side], axis=int(fields["axis"])))
    return off([found[0]], [found[1]])


def _tail(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    given = drawn(old)
    tensors = [at(old, place) for _, place in fields["given"]]
    middle = inner(old, given, tensors)
    entering = {name: value.astype(np.float32) for (name, _), value in zip(fields["given"], middle, strict=True)}
    found = run(old, given)
    return off(run(new, {**given, **entering}), [found[int(number)] for number in fields["outputs"]])


@contextlib.contextmanager
def own_sums() -> Iterator[None]:
    """Keras on TensorFlow adds the bias of a channels-first map along its width where that is as large as the number of
    channels; here sums are TensorFlow's own.
    """
    with patch("keras.src.backend.numpy.add", lambda one, two: tf.add(one, two)):
        yield


def _transposed(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    given = drawn(old)
    turned = {name: np.transpose(given[name], order) for name, order in fields["given"].items()}
    with own_sums():
        found, held = run(new, {**given, **turned}), run(old, given)
    return off(found, [np.transpose(one, order) for one, order in zip(held, fields["outputs"], strict=True)])


def _stacked(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    """One frame, again and again; `outputs` are the axes along which answers repeat, 0 for none."""
    name, axis, given = fields["input"], fields["at"], drawn(old)
    declared = dict(zip(input_names(new), new.inputs, strict=True))[name].shape[axis] or 12
    clip = np.stack([given[name]] * declared, axis=axis)
    with own_sums():
        found, held = run(new, {**given, name: clip}), run(old, given)
    held = [
        np.stack([one] * two.shape[place], axis=place) if place else one
        for one, two, place in zip(held, found, fields["outputs"], strict=True)
    ]
    return off(found, held)


def _kept_words(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    """Inputs of words that both lookups know; and each of these words alone has the row that it had."""
    sides = [layer_of(model, fields["lookup"]) for model in (old, new)]
    known = [list(side.get_vocabulary(include_special_tokens=False)) for side in sides]
    both = [word for word in known[0] if word in set(known[1]) & set(fields["words"])]
    tensor = sides[1]._inbound_nodes[0].input_tensors[0]
    given, rng = drawn(new), np.random.default_rng(3)
    name = tensor._keras_history.operation.name
    if name not in given:
        return 0.0  # the lookup is inside a nested model, or something comes before it
    given[name] = rng.choice(np.array(both, given[name].dtype), given[name].shape)
    drift = off(run(new, given), run(old, given))
    tables = [_table(side) for side in sides]
    if all(table is not None for table in tables):
        rows = [
            np.asarray(table.embeddings)[np.asarray(side(np.array(both, given[name].dtype)))]
            for table, side in zip(tables, sides, strict=True)
        ]
        drift = max(drift, off([rows[1]], [rows[0]]))
    return drift


def _table(lookup: Any) -> Any:
    users = [node.operation for node in lookup._outbound_nodes]
    return users[0] if len(users) == 1 and isinstance(users[0], keras.layers.Embedding) else None


def layer_of(model: Any, path: str) -> Any:
    for name in path.split("/"):
        model = model.get_layer(name)
    return model


def _joined(fields: Mapping[str, Any], old: Any, new: Any) -> float:
    """Both models by themselves: the inputs of the old one come first, then those of the other that nothing feeds.

    How they are joined is read off the recipe's own step.
    """
    edit = next(one for one in reversed(fields["steps"]) if getattr(one, "file", None) == fields["file"])
    other = keras.saving.load_model(edit.file, compile=False)
    arrays = drawn(new)
    names, given = input_names(new), [arrays[name] for name in input_names(new)]
    mine = dict(zip(input_names(old), given, strict=False))
    own = given[len(mine) :]
    first, outer = run(old, mine), input_names(other)
    kept = first
    if edit.how == "parallel":
        fed = dict(zip(outer, given if edit.shared else own, strict=edit.shared))
    else:
        ends = [tensor._keras_history.operation.name for tensor in old.outputs]
        going = ends.index(edit.output) if edit.output in ends else 0
        entering = (
            first[going]
            if edit.output is None or edit.output in ends
            else inner(old, mine, [at(old, [edit.output, [0], 0])])[0]
        )
        kept = [one for number, one in enumerate(first) if number != going] if edit.output in (None, *ends) else []
        fed = {outer[0]: entering.astype(np.float32)}
    assert len(names) == len(mine) + (len(outer) if edit.how == "parallel" and not edit.shared else 0)
    second = run(other, fed)
    if edit.merge == "concatenate":
        wanted = [np.concatenate(pair, axis=-1) for pair in zip(kept, second, strict=True)]
    elif edit.merge is not None:
        share = 0.5 if edit.merge == "average" else 1.0
        wanted = [(one + two) * share for one, two in zip(kept, second, strict=True)]
    else:
        wanted = [*kept, *second]
    return off(run(new, arrays), wanted)


def retyped(old: Any, policy: str, name: str) -> Any:
    """The model as Keras builds it under another dtype policy: of all layers (`*`), or of one at the top."""
    config = json.loads(old.to_json())

    def walk(entry: Any, inside: bool, level: int = 0) -> None:
        if isinstance(entry, list):
            for one in entry:
                walk(one, inside, level)
        elif isinstance(entry, dict):
            fields = entry.get("config")
            if isinstance(fields, dict) and "class_name" in entry:
                chosen = inside or (level == 1 and fields.get("name") == name)
                if chosen and "dtype" in fields and entry["class_name"] not in ("InputLayer", "Normalization"):
                    fields["dtype"] = policy
                walk(list(fields.values()), chosen, level + 1)
            else:
                walk(list(entry.values()), inside, level)

    if policy not in ("int8", "float8"):
        walk(config, name == "*")
    fresh = keras.models.model_from_json(json.dumps(config))
    for mine, theirs in zip(fresh.weights, old.weights, strict=True):
        mine.assign(theirs)
    if policy == "int8":
        with warnings.catch_warnings():  # Keras warns of each layer that it passes over, such as a nested InputLayer
            warnings.filterwarnings("ignore", message=".*does not have a `quantize` method")
            (fresh if name == "*" else fresh.get_layer(name)).quantize(policy)
    return fresh


def at(model: Any, place: Any) -> Any:
    """An output by number, or a tensor by layer path, calls and output."""
    if isinstance(place, int):
        return model.outputs[place]
    path, calls, output = place[0], place[1] or [0], place[2]
    graph = getattr(model, "_functional", model)
    parts = {part.name: part for part in graph.operations}
    name = path if path in parts else next(one for one in parts if path.startswith(one + "/"))
    node = parts[name]._inbound_nodes[calls[0]]
    if name == path:
        return node.output_tensors[output]
    below = at(parts[name], [path[len(name) + 1 :], calls[1:], output])
    given = parts[name].inputs  # of the nested model
    return keras.Model(given[0] if len(given) == 1 else given, below)(
        node.input_tensors[0] if len(node.input_tensors) == 1 else node.input_tensors
    )


ORACLES: dict[str, Callable[[Mapping[str, Any], Any, Any], float]] = {
    "same_input": _same_input,
    "gray": _gray,
    "old_bands": _old_bands,
    "mapped": _mapped,
    "old_size": _old_size,
    "adapted": _adapted,
    "padded": _padded,
    "features": _features,
    "batch": _batch,
    "classes": _classes,
    "tail": _tail,
    "transposed": _transposed,
    "stacked": _stacked,
    "kept_words": _kept_words,
    "joined": _joined,
}
