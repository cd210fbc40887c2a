"""What a hand-made engine answers to the questions beside the plan."""

from typing import Any

from core.layers.descriptions import Argument, LayerClass, Matching, RecipeCheck, WeightMatch
from core.model.plan import LegalSizes
from core.recipes.gestures import tag
from core.service.messages import AskSizes, CheckRecipes, DescribeLayers, HashFiles, LookAtInputs, MatchWeights

CLASSES = (
    LayerClass(
        "Conv2D",
        "convolutional",
        "2D convolution layer.",
        (
            Argument("filters", "whole", required=True, main=True),
            Argument("kernel_size", "sizes", required=True, main=True),
            Argument("strides", "sizes", [1, 1], main=True),
            Argument("padding", "choice", "valid", main=True, options=("valid", "same")),
            Argument("activation", "choice", main=True, optional=True, options=("relu", "softmax")),
            Argument("use_bias", "flag", True, main=True),
            Argument("kernel_initializer", "choice", "glorot_uniform", options=("glorot_uniform", "zeros")),
        ),
    ),
    LayerClass(
        "Dropout", "regularization", "Applies dropout.", (Argument("rate", "number", required=True, main=True),)
    ),
    LayerClass("MaxPooling2D", "pooling", "Max pooling.", (Argument("pool_size", "sizes", [2, 2], main=True),)),
)


def answer(body: Any) -> Any:
    """The answer to one of these questions, `None` for any other."""
    if isinstance(body, DescribeLayers):
        return CLASSES
    if isinstance(body, CheckRecipes):
        return tuple(
            RecipeCheck(False, "There is no layer of this name.")
            if any(tag(edit) == "cut_at" for edit in recipe.edits)
            else RecipeCheck(True)
            for recipe in body.recipes
        )
    if isinstance(body, LookAtInputs):
        return ("1 sample for image (32\u00d732\u00d73), with values from 0 to 1 as they are.",)
    if isinstance(body, AskSizes):
        forbids = "backbone/block1_add: the sizes differ" if body.wanted and body.wanted % 32 else ""
        return LegalSizes(body.input, 32, 32, None, forbids)
    if isinstance(body, MatchWeights):
        rows = (
            WeightMatch("hidden", "kernel", (32, 128), "dense/kernel", (32, 128), "transferred"),
            WeightMatch("hidden", "bias", (128,), "dense/bias", (128,), "transferred"),
            WeightMatch("predictions", "kernel", (128, 10), "top/kernel", (128, 7), "mismatched"),
            WeightMatch("backbone/stem_conv", "kernel", (7, 7, 3, 32)),
        )
        theirs = ("dense", "top", "extra")
        return Matching(
            rows,
            ("extra",),
            ("backbone/stem_conv", "hidden", "predictions"),
            theirs,
            paired=2,
            given=3,
            unfit=1,
            weights=4,
        )
    if isinstance(body, HashFiles):
        return ()
    return None
