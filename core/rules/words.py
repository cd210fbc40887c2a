"""Rules in words: what a person reads where a recipe has a rule's name, and what each does."""

from functools import lru_cache

from core.rules import RULES, Initialize, KeepRows, Rule
from core.rules.initialize import LAYER

WORDS = {
    "sum": "Sum of the channels",
    "mean": "Mean of the channels",
    "repeat": "Repeat the channels",
    "map": "Channel by channel",
    "zero_extra": "Add zero channels",
    "fold": "Fold mean and deviation",
    "regroup": "Regroup the kernel",
    "center": "Center the kernel",
    "resize": "Resize the kernel",
    "pi_resize": "Pseudo-inverse resize",
    "project": "Project to the old width",
    "widen": "Copy filters",
    "slice": "Keep some filters",
    "spatial_resize": "Resize the map",
    "spatial_mean": "Average over the map",
    "pool": "Pool the map",
    "resample": "Resample the positions",
    "rows": "Choose rows",
    "initialize": "Initialize",
    "fold_batch_norm": "Fold BatchNormalization",
    "fold_weight_norm": "Fold WeightNormalization",
    "fold_lora": "Merge the low-rank update",
    "dequantize": "Dequantize",
    "turned axes": "Transpose the axes",
    "reordered rows": "Reorder the rows",
    "inflated": "Inflate the kernel",
    "inflated rows": "Inflate the rows",
}
"""By the name that `Rule.name` gives."""

EFFECTS = {
    "sum": "Adds the kernels of the old channels. A gray image then gives exactly the same output as in RGB.",
    "mean": "Averages the kernels of the old channels. Responses get weaker than before.",
    "repeat": "Repeats the old channels, each divided by its number of copies.",
    "map": "Makes each new channel from the old ones that are set for it; those without any start at zero.",
    "zero_extra": "Keeps the old channels; new ones start at zero, so the output does not change.",
    "fold": "Like repeat, with the model\u2019s mean and deviation folded into the kernel and bias.",
    "regroup": "Keeps all values and gives the array another shape.",
    "center": "Zero-pads or crops around the middle. Growing is exact under \u201csame\u201d padding.",
    "resize": "Resamples the kernel like an image, keeping its sum.",
    "pi_resize": "Resizes patch kernels by the pseudo-inverse, so that resized patches give the same output.",
    "project": "Keeps the old filters and adds new ones; a 1\u00d71 convolution leads back to the old width.",
    "widen": "Copies the old filters in turn; later layers divide by the number of copies.",
    "slice": "Keeps the first filters, or those that are listed.",
    "spatial_resize": "Resamples the weights over the flattened map, as if the map were resized to its old size.",
    "spatial_mean": "Gives every place of the map the same weight. Exact only for maps that are constant.",
    "pool": "Adds the weights of all places, for a map that is averaged instead of flattened.",
    "resample": "Interpolates the position vectors to the new grid; accuracy drops until it is trained there.",
    "rows": "Keeps the rows by their numbers; surplus rows are dropped.",
    "initialize": "Starts anew at initial values; what was learned is lost.",
}
"""What each rule does, by its name."""

_FRESH_ROWS = {"uniform": "at random values", "mean": "at the mean of the others", "zeros": "at zero"}


def rule_effect(rule: Rule) -> str:
    """What a rule does with its fields, in a sentence or two."""
    if isinstance(rule, KeepRows):
        return f"Keeps the rows by their numbers; new rows start {_FRESH_ROWS[rule.fresh]}, surplus rows are dropped."
    if isinstance(rule, Initialize):
        values = "the layer\u2019s own initial values" if rule.initializer == LAYER else f"{rule.initializer} values"
        return f"Starts anew at {values}; what was learned is lost."
    return EFFECTS[rule.name]


@lru_cache(1024)
def rule_words(name: str) -> str:
    """The rules of a fate in words, with the recipe's names beside them: `Sum of the channels (sum)`."""
    parts = name.replace(", then ", " + ").split(" + ")
    said = [WORDS.get(part, part[:1].upper() + part[1:]) for part in parts]
    words = " + ".join([*said[:1], *(part[:1].lower() + part[1:] for part in said[1:])])
    named = [part for part in parts if part in RULES]
    return f"{words} ({' + '.join(named)})" if named else words
