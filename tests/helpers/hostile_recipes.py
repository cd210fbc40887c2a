"""Recipes made to do harm: every edit, every field that could hold a config, every form of code and foreign name."""

import base64
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.edits import EDITS
from tests.helpers.hostile import Trap, objects

Config = dict[str, Any]
MODULES = (
    "keras.layers", "keras", None, "keras.src.layers", "keras.src.layers.core.lambda_layer", "tensorflow.keras.layers",
    "tf_keras.layers", "keras.layers.core", "keras.src.layers.core",
)  # fmt: skip
CLEAN: dict[str, Config] = {
    "change_input": {"shape": [10, 10, 1]},
    "replace_first_conv": {"filters": 4},
    "insert_adapter": {"shape": [8, 8, 1], "fit": "repeat"},
    "insert_front": {"shape": [8, 8, 3], "layers": [{"class_name": "Flatten", "config": {}}]},
    "remove_head": {},
    "attach_head": {"classes": 3},
    "cut_at": {"layers": ["flat"]},
    "start_at": {"layers": ["flat"]},
    "set_trainable": {"layers": ["*"], "trainable": False},
    "insert_layer": {"layer": "flat", "config": {"class_name": "Dense", "config": {"units": 2}}},
    "replace_layer": {"layer": "top", "config": {"class_name": "Dense", "config": {"units": 2}}},
    "remove_layer": {"layer": "act"},
    "rename_layer": {"layer": "act", "name": "other"},
    "set_rule": {"weight": "top/kernel", "rule": "initialize"},
    "transfer_weights": {"file": "good.keras"},
    "set_dtype": {"policy": "float32"},
    "set_batch": {"batch": 2},
    "data_format": {"to": "channels_first"},
    "join_models": {"file": "good.keras", "how": "parallel"},
    "inflate": {"shape": [4, 8, 8, 3]},
    "replace_all": {"match": {"class_name": "Dense"}, "with": {"units": 2}},
}  # fmt: skip
"""A recipe's edit of every kind that does what it should on the good model, to be made harmful field by field."""


def _layer(class_name: str, config: Config, module: str | None = "keras.layers", **further: Any) -> Config:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None, **further}


def stored_forms(trap: Trap) -> dict[str, Any]:
    """A function in every form that a config can store one in."""
    raw = trap.code()
    text = base64.b64encode(raw).decode()
    stored = {"code": text, "defaults": None, "closure": None}
    return {
        "stored": {"class_name": "__lambda__", "config": stored},
        "stored by value": {"class_name": "__lambda__", "config": {"value": text, **stored}},
        "stored with a module": {"class_name": "__lambda__", "module": "builtins", "config": stored},
        "list of Keras 2": [text, None, None],
        "text of Keras 1": raw.decode("latin-1"),
    }


def entries(trap: Trap) -> Iterator[tuple[str, Config]]:
    """Layer entries that lead to code or files: Lambdas, wrappers, nested models, lookups, foreign modules."""
    forms = stored_forms(trap)
    stored = forms["stored"]
    for name, form in forms.items():
        yield f"Lambda, {name}", _layer("Lambda", {"function": form})
        yield f"Lambda, {name}, typed", _layer("Lambda", {"function": form, "function_type": "lambda"})
        for field in ("output_shape", "mask"):
            for function in ("relu", {"module": "keras.ops", "class_name": "function", "config": "relu"}):
                yield f"Lambda {field}, {name}, {function}", _layer("Lambda", {"function": function, field: form})
    for module in MODULES:
        yield f"Lambda in {module}", _layer("Lambda", {"function": stored}, module)
        yield f"Lambda in {module}, flat", {"class_name": "Lambda", "module": module, "function": stored}
        yield f"IndexLookup in {module}", _layer("IndexLookup", _lookup(trap.secret), module)
    yield "Lambda without a module", {"class_name": "Lambda", "config": {"function": stored}}
    yield "Lambda arguments", _layer("Lambda", {"function": "relu", "arguments": {"x": stored}})
    yield "Lambda under another name", _layer("Lambda", {"function": stored}, registered_name="Dense")
    yield "Dense registered as Lambda", _layer("Dense", {"units": 2, "function": stored}, registered_name="Lambda")
    inner = _layer("Lambda", {"name": "inner", "function": stored})
    for wrapper, field in _WRAPPERS:
        config: Config = {field: inner}
        if field == "backward_layer":
            config["layer"] = _layer("LSTM", {"units": 2})
        yield f"{wrapper} {field} around a Lambda", _layer(wrapper, config)
    yield "stacked cells", _layer("StackedRNNCells", {"cells": [inner]})
    yield "Pipeline", _layer("Pipeline", {"layers": [inner]})
    yield "wrapper in a wrapper", _layer("TimeDistributed", {"layer": _layer("TimeDistributed", {"layer": inner})})
    for module in ("keras", "keras.models", "keras.src.models.sequential", None):
        start = _layer("InputLayer", {"name": "start", "batch_shape": [None, 8]})
        yield f"Sequential in {module}", _layer("Sequential", {"name": "inside", "layers": [start, inner]}, module)
    reached = {"class_name": "__keras_tensor__",
               "config": {"shape": [None, 8], "dtype": "float32", "keras_history": ["start", 0, 0]}}  # fmt: skip
    functional = {
        "name": "inside", "input_layers": [["start", 0, 0]], "output_layers": [["inner", 0, 0]],
        "layers": [{**start, "name": "start", "inbound_nodes": []},
                   {**inner, "name": "inner", "inbound_nodes": [{"args": [reached], "kwargs": {}}]}],
    }  # fmt: skip
    for class_name, module in (("Functional", "keras.src.models.functional"), ("Model", "keras.models"),
                               ("Functional", "harm_by_import")):  # fmt: skip
        yield f"{class_name} in {module}", _layer(class_name, copy.deepcopy(functional), module)
    yield "harmful call argument", _with_argument(functional, stored)
    for name, harm in objects(trap).items():
        if name != "lambda":
            yield f"{name} as the layer", harm
        yield f"{name} wrapped", _layer("TimeDistributed", {"layer": harm})
    yield "name of another module", _layer("Dense", {"units": 2}, "harm_by_import", registered_name="harm_by_import>T")
    yield "registered elsewhere", _layer("Thing", {}, "harm_by_import", registered_name="Dense")
    for address in (str(trap.secret), f"file://{trap.secret}", "https://localhost:9/words.txt", "gs://no/words.txt"):
        for lookup in ("StringLookup", "IntegerLookup", "TextVectorization"):
            yield f"{lookup} of {address}", _layer(lookup, {"vocabulary": address})
        yield (
            f"long module of {address}",
            _layer("StringLookup", {"vocabulary": address}, "keras.src.layers.preprocessing.string_lookup"),
        )
    yield "lookup in a wrapper", _layer("TimeDistributed", {"layer": _layer("StringLookup", _lookup(trap.secret))})
    yield "weights of words", _layer("StringLookup", {"vocabulary": ["a"], "output_mode": "tf_idf", "idf_weights": "x"})
    yield "path as bytes", _layer("StringLookup", {"vocabulary": {"class_name": "__bytes__", "config": _bytes(trap)}})
    for field in ("standardize", "split"):
        yield f"TextVectorization {field}", _layer("TextVectorization", {field: stored, "ngrams": None})
    yield "TFSMLayer", _layer("TFSMLayer", {"filepath": str(trap.folder), "call_endpoint": "serve"})
    yield "TFSMLayer, long", _layer("TFSMLayer", {"filepath": str(trap.folder)}, "keras.src.export.tfsm_layer")
    yield "TorchModuleWrapper", _layer("TorchModuleWrapper", {"module": str(trap.secret)})
    yield "JaxLayer", _layer("JaxLayer", {"call_fn": stored})
    yield "FeatureSpace", _layer("FeatureSpace", {"features": {}}, "keras.src.layers.preprocessing.feature_space")
    yield "GPTQ", _layer("Dense", {"units": 2, "quantization_config": _layer(
        "GPTQConfig", {"dataset": str(trap.secret), "tokenizer": str(trap.secret)}, "keras.quantizers")})  # fmt: skip
    yield "load_model", _layer("load_model", {"filepath": str(trap.good)}, "keras.models")
    yield "build config", _layer("Dense", {"units": 2}, build_config={"input_shape": [None, 8], "x": stored})
    yield "compile config", _layer("Sequential", {"name": "s", "layers": [start]}, compile_config={"loss": stored})
    yield (
        "TypeSpec",
        _layer("Dense", {"units": 2, "activity_regularizer": {"class_name": "TypeSpec", "type_spec": "x"}}),
    )
    harms = {**{name: one for name, one in objects(trap).items() if name != "layer"}, **forms}
    for class_name, config, fields in _FIELDS:
        for field in fields:
            for name, harm in harms.items():
                if isinstance(harm, dict):
                    yield f"{name} as {class_name}.{field}", _layer(class_name, {**config, field: harm})
    yield "inner activation", _layer("TimeDistributed", {"layer": _layer("Dense", {"units": 2, "activation": stored})})
    yield (
        "inner initializer",
        _layer(
            "Dense", {"units": 2, "kernel_initializer": _layer("Constant", {"value": stored}, "keras.initializers")}
        ),
    )


_WRAPPERS = (("TimeDistributed", "layer"), ("Bidirectional", "layer"), ("Bidirectional", "backward_layer"),
             ("SpectralNormalization", "layer"), ("Wrapper", "layer"), ("RNN", "cell"))  # fmt: skip
_FIELDS: tuple[tuple[str, Config, tuple[str, ...]], ...] = (
    ("Dense", {"units": 2}, ("activation", "kernel_initializer", "bias_initializer", "kernel_regularizer",
                             "activity_regularizer", "kernel_constraint", "dtype", "quantization_config", "whatever")),
    ("Activation", {}, ("activation",)),
    ("LSTM", {"units": 2}, ("recurrent_activation", "recurrent_initializer", "recurrent_constraint")),
    ("Rescaling", {"offset": 0.0}, ("scale",)),
    ("Normalization", {"variance": 1.0}, ("mean",)),
)  # fmt: skip


_IN_LISTS = ("stored", "layer", "path", "address")


def _lookup(path: Path) -> Config:
    return {"vocabulary": str(path), "max_tokens": None, "num_oov_indices": 1, "mask_token": None, "oov_token": "[UNK]",
            "vocabulary_dtype": "string"}  # fmt: skip


def _bytes(trap: Trap) -> Config:
    return {"value": str(trap.secret)}


def _with_argument(functional: Config, harm: Any) -> Config:
    config = copy.deepcopy(functional)
    dense = _layer("Dense", {"name": "inner", "units": 2})
    config["layers"][1] = {**config["layers"][1], **dense}
    config["layers"][1]["inbound_nodes"][0]["kwargs"] = {"training": harm}
    return _layer("Functional", config, "keras.src.models.functional")


def recipes(trap: Trap) -> dict[str, Config]:
    """Every hostile recipe by name."""
    found: dict[str, Config] = {}

    def add(name: str, *edits: Config) -> None:
        found[name] = {"suture": 1, "edits": list(edits)}

    for name, entry in entries(trap):
        add(f"insert_layer: {name}", {"do": "insert_layer", "layer": "flat", "config": entry})
        add(f"replace_layer: {name}", {"do": "replace_layer", "layer": "top", "config": entry})
        add(f"replace_all: {name}", {"do": "replace_all", "match": {"class_name": "Dense"}, "with": entry})
        add(f"insert_front: {name}", {"do": "insert_front", "shape": [8, 8, 3], "layers": [entry]})
    stored = stored_forms(trap)["stored"]
    add("replace_layer: only the activation", {"do": "replace_layer", "layer": "top", "config": {"activation": stored}})
    add("replace_all: only the activation",
        {"do": "replace_all", "match": {"class_name": "Dense"}, "with": {"activation": stored}})  # fmt: skip
    add("replace_layer: the Lambda's function", {"do": "replace_layer", "layer": "act", "config": {"function": stored}})
    add("replace_layer: the Lambda's arguments",
        {"do": "replace_layer", "layer": "act", "config": {"arguments": {"x": stored}}})  # fmt: skip
    add("replace_layer: an inserted lookup's words",
        {"do": "insert_layer", "layer": "flat", "config": _layer("StringLookup", {"vocabulary": ["a"]})},
        {"do": "replace_layer", "layer": "string_lookup", "config": {"vocabulary": str(trap.secret)}})  # fmt: skip
    harms = {**objects(trap), "stored": stored, "path": str(trap.secret), "address": "https://localhost:9/x.keras"}
    for do, kind in EDITS.items():
        for field in kind.__struct_encode_fields__:
            for name, harm in harms.items():
                forms = [(name, harm), (f"list of {name}", [harm])][: 2 if name in _IN_LISTS else 1]
                for form, value in forms:
                    add(f"{do}.{field}: {form}", {"do": do, **CLEAN.get(do, {}), field: value})
    return found
