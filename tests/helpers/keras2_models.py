"""Every case of the class matrix that tf-keras can build, and the classes that cannot stand alone in a model."""

from collections.abc import Iterator
from typing import Any

from tests.helpers.layer_cases.base import Case
from tests.helpers.layer_cases.keras2 import keras2
from tests.helpers.layer_cases.plain import plain
from tests.helpers.layer_cases.preprocessing import preprocessing
from tests.helpers.layer_cases.recurrent import remembering
from tests.helpers.layer_cases.tensor_ops import tensor_ops

NO_MODEL = {
    "Layer": "the base class of all others; it computes nothing",
    "Wrapper": "the base class of wrappers; it computes nothing",
    "InputSpec": "not a layer: describes what a layer accepts",
    "AbstractRNNCell": "a base class with nothing in it",
    "PreprocessingLayer": "the base class of preprocessing layers",
    "VersionAwareLayers": "not a layer: finds the class of a name",
    "ClassMethod": "a call of a class method of Ragged or Sparse tensors; Keras 3 has none of them",
    "InstanceMethod": "a call of a method of Ragged or Sparse tensors; Keras 3 has none of them",
    "InstanceProperty": "a property of Ragged or Sparse tensors; Keras 3 has none of them",
}
"""Classes of tf-keras that are in no model by themselves, with the reason."""


EXPECTED: dict[str, tuple[str, str]] = {}
"""What comes out where not all is equal: `differs`, `cannot` (with a part of the sentence people read) or `unwritten`."""


def cases(k: Any) -> Iterator[Case]:
    """Every case, for tf-keras."""
    for part in (plain, remembering, preprocessing, tensor_ops, keras2):
        yield from part(k)


def public_classes() -> dict[str, str]:
    """Every layer class of tf-keras that a file may name, and where it is found."""
    import tf_keras
    import tf_keras.src.layers as inner

    places = {
        "tf_keras.layers": tf_keras.layers,
        "tf_keras.layers.experimental": tf_keras.layers.experimental,
        "tf_keras.layers.experimental.preprocessing": tf_keras.layers.experimental.preprocessing,
        "tf_keras.src.layers": inner,
    }
    found: dict[str, str] = {}
    for place, module in places.items():
        for name in dir(module):
            value = getattr(module, name)
            if isinstance(value, type):
                found.setdefault(_saved_name(value), place)
    return found


def _saved_name(layer_class: type) -> str:
    """The name in a file: aliases share one, and the second versions of classes drop their number."""
    return layer_class.__name__.removesuffix("V2")
