"""Names that belong to Keras 3: which classes it has, and under which module it serialises them. No Keras needed."""

from core.layers.rows import ROWS
from core.layers.table import classes

LAYERS = frozenset(name for name, row in ROWS.items() if row.module == "keras.layers" and row.kind != "foreign")
"""Layer classes of `keras.layers` that a config alone rebuilds (Lambda needs code and is handled apart)."""

CODE_LAYERS = classes(family="code")
"""Built-in layers whose config refers to code or to other files."""

FILE_FIELDS: dict[str, tuple[str, ...]] = {
    **{name: row.files for name, row in ROWS.items() if row.files},
    "IndexLookup": ("vocabulary", "idf_weights"),
    "GPTQConfig": ("dataset", "tokenizer"),
    "AWQConfig": ("dataset", "tokenizer"),
}
"""Classes whose config can name a file, a folder or an address beside their own values, by the fields that do.

Together with `CODE_LAYERS` this is the whole of Keras: a test asks every class of Keras for such arguments.
"""

APPLICATION_LAYERS = {name: row.module for name, row in ROWS.items() if row.module != "keras.layers"}
"""Layers that `keras.applications` brings along, with the module Keras imports them from by itself."""

MODELS = frozenset({"Functional", "Sequential", "Model"})

INITIALIZERS = frozenset(
    [
        "Constant",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "Identity",
        "IdentityInitializer",
        "LecunNormal",
        "LecunUniform",
        "Ones",
        "Orthogonal",
        "OrthogonalInitializer",
        "RandomNormal",
        "RandomUniform",
        "STFT",
        "STFTInitializer",
        "TruncatedNormal",
        "VarianceScaling",
        "Zeros",
    ]
)
REGULARIZERS = frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"})
CONSTRAINTS = frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})

ACTIVATIONS = frozenset(
    [
        "celu",
        "elu",
        "exponential",
        "gelu",
        "glu",
        "hard_shrink",
        "hard_sigmoid",
        "hard_silu",
        "hard_swish",
        "hard_tanh",
        "leaky_relu",
        "linear",
        "log_sigmoid",
        "log_softmax",
        "mish",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "soft_shrink",
        "softmax",
        "softplus",
        "softsign",
        "sparse_plus",
        "sparse_sigmoid",
        "sparsemax",
        "squareplus",
        "swish",
        "tanh",
        "tanh_shrink",
        "threshold",
    ]
)


def is_builtin_module(module: str | None) -> bool:
    """Whether a serialised `module` is one of Keras's own."""
    return module is not None and (module == "keras" or module.startswith("keras."))
