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


_NO_FUNCTION = "is a TFOpLambda"
EXPECTED: dict[str, tuple[str, str]] = {
    "Concatenate/masks": ("differs", ""),
    **{
        f"{name}/adapted{more} [h5]": ("unwritten", "")
        for name, more in (("IntegerLookup", ", mask"), ("StringLookup", ""))
    },
    "TextVectorization/adapted [h5]": ("unwritten", ""),
    "TextVectorization/tf_idf [h5]": ("unwritten", ""),
    # tf-keras leaves the tensors of a call with several of them out of its file, or has no JSON for `...`
    "TFOpLambda/tf.einsum": ("cannot", "tf.einsum is a TFOpLambda"),
    "SlicingOpLambda/x[..., 1] [keras]": ("unwritten", ""),
    "SlicingOpLambda/x[..., None] [keras]": ("unwritten", ""),
    "TFOpLambda/tf.keras.applications preprocessing [keras]": ("unwritten", ""),
    "TFOpLambda/tf.broadcast_to by shape": ("cannot", "of the class TFOpLambda (first: tf.compat.v1.shape)"),
    "TFOpLambda/tf.image.per_image_standardization": ("cannot", _NO_FUNCTION),
    "TFOpLambda/tf.math.lgamma": ("cannot", _NO_FUNCTION),
    "TFOpLambda/tf.math.digamma": ("cannot", _NO_FUNCTION),
    "LocallyConnected1D": ("cannot", "locally_connected1d"),
    "LocallyConnected1D/implementation 2": ("cannot", "locally_connected1d"),
    "LocallyConnected2D": ("cannot", "locally_connected2d"),
    "LocallyConnected2D/implementation 3": ("cannot", "locally_connected2d"),
    "RandomFourierFeatures": ("cannot", "random_fourier_features"),
    "DenseFeatures": ("cannot", "dense_features is a DenseFeatures"),
    "DynamicLookup": ("cannot", "dynamic_lookup is a DynamicLookup"),
    "DynamicLookup [h5]": ("unwritten", ""),
    "DynamicEmbedding": ("cannot", "dynamic_embedding"),
    "DynamicEmbedding [h5]": ("unwritten", ""),
    "DeviceWrapper": ("cannot", "rnn"),
    "DropoutWrapper": ("cannot", "rnn"),
    "ResidualWrapper": ("cannot", "rnn"),
}
"""What comes out where not all is equal: `differs`, `cannot` (with part of the sentence people read), `unwritten`."""


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
