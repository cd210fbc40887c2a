"""Rules in words: what a person reads where a recipe has a rule's name."""

from functools import lru_cache

from core.rules import RULES

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


@lru_cache(1024)
def rule_words(name: str) -> str:
    """The rules of a fate in words, with the recipe's names beside them: `Sum of the channels (sum)`."""
    parts = name.replace(", then ", " + ").split(" + ")
    said = [WORDS.get(part, part[:1].upper() + part[1:]) for part in parts]
    words = " + ".join([*said[:1], *(part[:1].lower() + part[1:] for part in said[1:])])
    named = [part for part in parts if part in RULES]
    return f"{words} ({' + '.join(named)})" if named else words
