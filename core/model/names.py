"""How Keras spells things in storage keys."""

import re

_OWN_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}
"""Classes that Keras exports, and serialises, under another name than their own."""


def snake_case(class_name: str) -> str:
    """A class in a storage key: `Conv2D` is `conv2d`, `PReLU` is `p_re_lu` (`keras.src.utils.naming`)."""
    class_name = _OWN_NAMES.get(class_name, class_name)
    name = re.sub(r"\W+", "", class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def leaf(path: str) -> str:
    """The last part of a weight's name without TensorFlow's `:0` and counter: `dense/kernel_1:0` is `kernel`."""
    name = path.rsplit("/", 1)[-1].split(":", 1)[0]
    return re.sub(r"_\d+$", "", name)
