"""One random edit for a model as a plan shows it: those of `random_models`, and those that ask for more of the model.

What an edit asks for (a second file, the words of a lookup, numbers of classes) is read off the plan or made here.
"""

import random
from pathlib import Path
from typing import Any

import keras

from core.model.graph import Graph, Layer
from core.model.plan import Plan
from tests.helpers.models import seed_weights
from tests.helpers.random_models import random_edit

layers = keras.layers
FURTHER = ["format", "classes", "inflate", "join", "dtype", "norms", "words"]
PRECISE = ("float32", "float64")


def drawn_edit(rng: random.Random, plan: Plan, folder: Path) -> dict[str, Any]:
    """An edit as JSON. A file that it needs is written into `folder`."""
    found = [(path, one) for path, one in plan.graph.walk() if not one.is_input]
    paths = [path for path, _ in found]
    lookups = [(path, one) for path, one in found if isinstance(one.config.get("vocabulary"), list)]
    kinds = [*FURTHER[:-1], *(["words"] * 3 if lookups else [])]
    if rng.random() > (0.4 if lookups else 0.3):
        return random_edit(rng, image_shape(plan), paths)
    match rng.choice(kinds):
        case "format":
            first = any(one.config.get("data_format") == "channels_first" for _, one in found)
            return {"do": "data_format", "to": "channels_last" if first else "channels_first"}
        case "classes":
            return _classes(rng, plan.graph, found)
        case "inflate":
            return _inflate(rng, plan)
        case "join":
            return _join(rng, plan, folder / f"other{len(list(folder.iterdir()))}.keras")
        case "dtype":
            policies = ["float32", "mixed_float16", "bfloat16", "int8"]
            # TensorFlow on a CPU has no channels-first convolution of that precision
            policies += (
                [] if any(one.config.get("data_format") == "channels_first" for _, one in found) else ["float64"] * 3
            )
            return {"do": "set_dtype", "policy": rng.choice(policies), "layers": [rng.choice(["*", "*", *paths])]}
        case "norms":
            norms = [path for path, one in found if one.class_name == "BatchNormalization"]
            return {"do": "fold_batch_norm", "layers": [rng.choice([*norms, "*"])]}
    return _words(rng, *rng.choice(lookups))


def image_shape(plan: Plan) -> tuple[int | None, ...]:
    """The shape, without batch, of the input that is an image."""
    ports = [port for port in plan.inputs if port.name.startswith("image")] or list(plan.inputs)
    return (ports[0].shape or ())[1:]


def _classes(rng: random.Random, graph: Graph, found: list[tuple[str, Layer]]) -> dict[str, Any]:
    """Mostly numbers that some layer near an output really has."""
    sizes = [one.config.get("units") or one.config.get("filters") for _, one in found[-4:]]
    old = rng.choice([size for size in sizes if isinstance(size, int)] or [3])
    new = rng.choice([2, 3, 5, 7])
    fields: dict[str, Any] = {"do": "change_classes", "old_classes": old, "classes": new}
    if rng.random() < 0.5:
        fields["keep"] = rng.sample(range(old), rng.randint(1, min(old, new)))
    ends = [ref.layer for ref in graph.output_refs()]
    return {**fields, "heads": [rng.choice(ends)]} if rng.random() < 0.3 else fields


def _inflate(rng: random.Random, plan: Plan) -> dict[str, Any]:
    depth: int | None = rng.choice([2, 3, 4])
    first = any(one.config.get("data_format") == "channels_first" for _, one in plan.graph.walk())
    shape = image_shape(plan)
    fields: dict[str, Any] = {"how": rng.choice(["centre", "mean"]), "stride": rng.choice(["one", "one", "same"])}
    if rng.random() < 0.3:
        fields["depth"] = rng.choice([1, 2, 3])
    name = next((port.name for port in plan.inputs if port.name.startswith("image")), plan.inputs[0].name)
    grown = (*shape[:1], depth, *shape[1:]) if first else (depth, *shape)
    return {"do": "inflate", "input": name, "shape": list(grown), **fields}


def _words(rng: random.Random, path: str, layer: Layer) -> dict[str, Any]:
    old = layer.config["vocabulary"]
    kept = rng.sample(old, rng.randint(1, len(old)))
    new = [21, 23, 25] if all(isinstance(word, int) for word in old) else ["new", "newer", "newest"]
    words = [*kept, *rng.sample(new, rng.choice([0, 1, 3]))]
    rng.shuffle(words)
    return {"do": "keep_words", "layer": path, "vocabulary": words, "fresh": rng.choice(["uniform", "mean", "zeros"])}


def _join(rng: random.Random, plan: Plan, file: Path) -> dict[str, Any]:
    """A small second model that fits: behind an output or an inner layer, or beside the model."""
    tops = [one.name for one in plan.graph.layers if not one.is_input and one.calls and one.calls[0].outputs]
    output = rng.choice([None, None, rng.choice(tops)]) if tops else None
    how = rng.choice(["series", "parallel", "parallel"])
    fields: dict[str, Any] = {"do": "join_models", "file": str(file), "how": how, "nested": rng.random() < 0.4}
    if rng.random() < 0.3:
        fields["prefix"] = "second"
    if how == "series":
        shapes = {port.name: port.shape for port in plan.outputs}
        output = rng.choice(list(shapes)) if output is None and len(shapes) > 1 else output
        spec = None if output is None else plan.graph.layer(output).calls[0].outputs
        shape = spec[0].shape if spec else plan.outputs[0].shape
        fields |= {} if output is None else {"output": output}
    else:
        shape = next((port.shape for port in plan.inputs if port.name.startswith("image")), plan.inputs[0].shape)
        fields["shared"] = len(plan.inputs) == 1 and rng.random() < 0.5
        fields |= {"merge": rng.choice(["concatenate", "average", "add"])} if rng.random() < 0.4 else {}
    second_model(rng, (shape or (None, 5))[1:], (plan.outputs[0].shape or (None, 3))[-1]).save(file)
    return fields


def second_model(rng: random.Random, shape: tuple[int | None, ...], units: int | None) -> Any:
    """A model on inputs of `shape`: as a rule down to a vector of `units`; its names are those of other models too."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(rng.randrange(2**31))
    given = keras.Input(shape, name=rng.choice(["image", "given"]))
    x: Any = given
    rank = len(shape) - 1
    if 1 <= rank <= 3 and shape[-1]:
        inner = keras.Sequential([keras.Input(shape), layers.Dense(4, activation="relu"), layers.BatchNormalization()])
        kinds = [
            lambda: getattr(layers, f"Conv{rank}D")(4, 3, padding="same")(x),
            lambda: layers.LayerNormalization()(x),
            lambda: inner(x),
        ]
        x = rng.choice(kinds)()
        x = getattr(layers, f"GlobalAveragePooling{rank}D")()(x) if rng.random() < 0.8 else x
    elif rank == 0:
        x = layers.BatchNormalization()(x) if rng.random() < 0.5 else x * 2.0
    outputs = layers.Dense(units or 3, activation=rng.choice([None, "tanh"]))(x)
    model = keras.Model(given, outputs, name=rng.choice(["functional", "second"]))
    seed_weights(model, calibrate=False)
    return model
