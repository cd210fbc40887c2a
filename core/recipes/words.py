"""Steps of a recipe in words: what each kind does, what its fields are, and what one says of them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from core.findings import (
    Action,
    CompareFixes,
    EditStep,
    Fix,
    NameCode,
    OpenArchitecture,
    OpenWeights,
    RebuildModel,
    TrustCode,
)
from core.phrases import shape_words
from core.recipes.gestures import tag
from core.rules.words import rule_effect

TITLES: Mapping[str, str] = {
    "accept_losses": "Accept losses",
    "attach_head": "New head",
    "change_classes": "Change classes",
    "change_input": "Change input",
    "cut_at": "Outputs at inner layers",
    "data_format": "Data format",
    "drop_training_only": "Drop training-only layers",
    "fold_batch_norm": "Fold BatchNormalization",
    "fold_weights": "Fold reparametrized weights",
    "inflate": "Inflate to 3-D",
    "insert_adapter": "Adapt input",
    "insert_front": "New front",
    "insert_layer": "Insert layer",
    "join_models": "Join models",
    "keep_words": "Keep words",
    "remove_head": "Remove head",
    "remove_layer": "Remove layer",
    "rename_layer": "Rename layer",
    "replace_all": "Replace everywhere",
    "replace_first_conv": "First convolution",
    "replace_layer": "Replace layer",
    "set_batch": "Batch size",
    "set_dtype": "Data type",
    "set_rule": "Rule for one weight",
    "set_trainable": "Freeze or unfreeze",
    "start_at": "Start after inner layers",
    "transfer_weights": "Transfer weights",
}
"""What each kind of step is called."""

TEXTS: Mapping[str, str] = {
    "accept_losses": "Accepts that these arrays of the file are dropped or that these weights start at initial values.",
    "attach_head": "Puts new layers for another task behind the features; they start at initial values.",
    "change_classes": "Changes the number of classes of every head, keeping the classes that are named.",
    "change_input": "Gives an input another size or other channels; the weights that follow are adapted.",
    "cut_at": "Makes the outputs of these layers the model\u2019s outputs; what leads nowhere else is removed.",
    "data_format": "Moves the channels of the whole model to the last or the first axis.",
    "drop_training_only": "Removes layers that do something only in training, such as Dropout.",
    "fold_batch_norm": "Multiplies BatchNormalization into the layer before it; outputs stay the same.",
    "fold_weights": "Computes weights that are stored in parts, such as those of LoRA, once and for all.",
    "inflate": "Turns a model for images into one for volumes or films.",
    "insert_adapter": "Puts layers before the model that make your data fit; the model stays unchanged.",
    "insert_front": "Puts new trainable layers before the model.",
    "insert_layer": "Puts a new layer behind the one that is named.",
    "join_models": "Adds the model of another file after this one or beside it.",
    "keep_words": "Changes a vocabulary; words that stay keep their vectors.",
    "remove_head": "Takes off the last layers, so that the model gives features.",
    "remove_layer": "Takes a layer out; what it received goes on to what followed.",
    "rename_layer": "Gives a layer another name; its weights stay.",
    "replace_all": "Changes every layer that matches, such as one activation for another.",
    "replace_first_conv": "Changes the first convolution; what is left empty stays as it was.",
    "replace_layer": "Puts another layer in the place of the one that is named; weights with the same meaning stay.",
    "set_batch": "Fixes the batch size or leaves it open.",
    "set_dtype": "Computes these layers in another data type.",
    "set_rule": "Says how one weight gets its new shape.",
    "set_trainable": "Says which layers are trained.",
    "start_at": "Makes what these layers give the model\u2019s inputs; what lies before them is removed.",
    "transfer_weights": "Takes weights from another file.",
}
"""What each kind of step does."""

FIELDS: Mapping[str, tuple[str, str]] = {
    "activation": ("Activation", "Such as relu, softmax or linear"),
    "batch": ("Batch size", "A whole number; empty for any"),
    "batch_norm": ("BatchNormalization", ""),
    "carry": ("Weights carry over by", ""),
    "channels": ("Channels by", "A rule such as auto, sum, mean, repeat, zero_extra or fold"),
    "classes": ("Classes", "How many there are afterwards"),
    "config": ("Layer", "Class and arguments of the layer, as JSON"),
    "crop_back": ("Crop the outputs back", ""),
    "depth": ("Depth", "Taps along the new axis"),
    "dropout": ("Dropout", "At least 0 and less than 1"),
    "dropped": ("Dropped arrays", "Names or patterns, separated by commas"),
    "file": ("File", "The path of the other file"),
    "filters": ("Filters", "Empty: as it was"),
    "hidden": ("Hidden layers", "Units of each, such as 256, 128"),
    "initialized": ("Weights that start anew", "Names or patterns, separated by commas"),
    "input": ("Input", "Empty: the only one"),
    "keep": ("Classes that stay", "Numbers or names, as a JSON list"),
    "kernel_size": ("Kernel", "Such as 5 or 5, 5; empty: as it was"),
    "labels": ("Labels", "Names of the classes, separated by commas"),
    "layer": ("Layer", "Its path, such as backbone/conv1"),
    "layers": ("Layers", "Paths or patterns, separated by commas"),
    "output": ("Output", "Its number, counted from 0, or its name; empty: the only one"),
    "policy": ("Data type", "Such as float32 or mixed_float16"),
    "rule": ("Rule", "Such as sum, resize or initialize; one with settings as JSON"),
    "seed": ("Seed", "For what starts at random"),
    "shape": ("Shape", "Without the batch, such as 96, 96, 1; any for an open size"),
    "strides": ("Strides", "Such as 2 or 2, 2; empty: as it was"),
    "to": ("To", ""),
    "use_bias": ("Bias", "Empty: as it was"),
    "vocabulary": ("Words", "As a JSON list"),
    "weight": ("Weight", "Its path, such as dense/kernel"),
    "weights": ("Weights file", "Empty: none"),
    "with": ("Replace with", "Arguments, as JSON"),
    "match": ("Match", ""),
}
"""What a field is called, and what is typed there."""


def title(edit: Any) -> str:
    """What a step's kind is called."""
    name = tag(edit)
    return TITLES.get(name, name.replace("_", " ").capitalize())


def field_words(name: str) -> tuple[str, str]:
    """What a field is called, and a hint."""
    return FIELDS.get(name, (name.replace("_", " ").strip().capitalize(), ""))


def explained(edit: Any) -> str:
    """A step in words: what it does, then what its fields say."""
    said = msgspec.to_builtins(edit)
    parts = [
        f"{field_words(name)[0]}: {_value(value)}" for name, value in said.items() if name not in ("do", "enabled")
    ]
    if tag(edit) == "replace_first_conv" and "layer" not in said:
        parts.insert(0, "Layer: the first convolution, whatever its name")
    off = "" if edit.enabled else "It is switched off. "
    return f"{off}{TEXTS.get(tag(edit), '')} {'; '.join(parts)}".strip() + ("." if parts else "")


_ACTIONS: Mapping[type[Any], str] = {
    CompareFixes: "Runs the model with each of these fixes and shows how far its outputs move.",
    EditStep: "Opens this step of the recipe, so that its settings can be corrected.",
    NameCode: "Asks for the Python file that defines the class, so that the layer can be run and edited.",
    TrustCode: "Shows the code stored in the file; you then trust it or put a layer in its place.",
    RebuildModel: "Asks for the same model built from layers, opens it and transfers these weights to it.",
    OpenWeights: "Asks for the file with the weights of this architecture.",
    OpenArchitecture: "Asks for the file with the architecture that these weights belong to.",
}


def action_words(action: Action) -> str:
    """What an action of a finding does: for a fix, what its rules and steps do and what the recipe then says."""
    if not isinstance(action, Fix):
        return _ACTIONS[type(action)]
    effects = dict.fromkeys(effect for edit in action.edits for effect in _effects(edit))
    steps = [str(edit.summary()) for edit in action.edits if edit.enabled]
    if not steps:
        return " ".join(effects)
    verb = f"Changes step {action.step} to" if action.step else "Adds the step" if len(steps) == 1 else "Adds the steps"
    listed = "; ".join(steps)
    return f"{' '.join(effects)}\n{verb}: {listed if len(listed) <= _LONGEST else listed[:_LONGEST] + _MORE}"


_LONGEST = 200
_MORE = "\u2026"


def _effects(edit: Any) -> list[str]:
    """What a step does, one sentence a part of it."""
    if not edit.enabled:
        return ["Keeps the step in the recipe, but does not apply it."]
    return [rule_effect(rule) for rule in edit.rules()] if tag(edit) == "set_rule" else [TEXTS[tag(edit)]]


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        if value and all(one is None or (isinstance(one, int) and not isinstance(one, bool)) for one in value):
            return shape_words(value)
        return ", ".join(map(_value, value)) or "none"
    if isinstance(value, dict):
        if "class_name" in value:
            inner = value.get("config") or {}
            more = ", ".join(f"{key} {_value(one)}" for key, one in inner.items() if key != "name")
            return f"{value['class_name']}{f' ({more})' if more else ''}"
        return ", ".join(f"{key} {_value(one)}" for key, one in value.items())
    return str(value)
