"""One row for each layer class of Keras 3.15: all that is known of it, as data. `core.layers.table` answers questions.

A class that a newer Keras adds is one row here, and a test that walks what `keras.layers` exports asks for it. The
facts of each row (arrays, settings, what becomes of channels and sizes, what it does outside training) are held against
Keras's own objects in `tests/core/layers/test_table.py`.
"""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

Config = dict[str, Any]
Family = Literal[
    "core", "dense", "embedding", "convolution", "recurrent", "normalization", "activation", "pooling", "reshaping",
    "merge", "attention", "regularization", "preprocessing", "augmentation", "wrapper", "code",
]  # fmt: skip
Acts = Literal["", "number", "channel", "map", "filter", "across", "mixing", "moving", "joining", "together", "tokens"]
"""What a number that comes out depends on, outside training.

`number`: one number that went in, at the same place, treated like all others. `channel`: the same, but channels (or
steps) are not treated alike. `map`: other places of the same channel. `filter`: the same, with several results for a
channel. `across`: other channels, without an array that sums over them. `mixing`: all channels, summed with an array.
`moving`: one number from another place. `joining`: one number of one of several tensors. `together`: one number of each
of several tensors. `tokens`: what goes in has no channels. Nothing: none of these, or what is inside.
"""


def flag(field: str, default: bool = True) -> Callable[[Config], bool]:
    """Whether a config has a flag set; `None` there is the default."""

    def given(config: Config) -> bool:
        value = config.get(field)
        return default if value is None else bool(value)

    return given


class Array(Struct, frozen=True):
    """An array of a layer, in the order in which Keras lists them.

    `axes` says what each axis is, one word each: `place` (of the kernel), `in` and `out` (channels), `channel` (of both
    at once), `position` (rows of a table), any other word for what no rule is about; `...` stands for any number of
    axes. `kind` says how the numbers act, as in `core.layers.axes.Axes`. `when`: the configs that have the array.
    """

    name: str
    axes: str = "..."
    kind: str = "other"
    trainable: bool = True
    when: Callable[[Config], bool] | None = None


class Row(Struct, frozen=True, kw_only=True):
    """What is known of one class.

    `kind` parts a family; `rank` counts the axes of the map that the class works on (2 for Conv2D), 0 where it takes
    any. `fields` are the settings that its constructor takes besides those of `common`, `defaults` those whose default
    is not the usual one for a field of that name. `call` names the arguments of its call, the first being what it works
    on; `None`: any.

    `arrays` are its own, in order; they lie in the layer of the attribute `held`, if any. `sized`: what of the shapes
    that reach it the shapes of its arrays follow. `inside`: the fields that hold layers, each with the attribute that
    Keras keeps them in. `parts`: layers that it makes itself. `forgets`: a frozen one, once loaded, has parts that
    train. `states`: how many tensors a recurrent layer hands from step to step.

    `idle`: hands on what it gets outside training. `same_shape`: gives a tensor as large as the one it gets. `several`:
    takes more than one tensor.

    `files`: fields that can name a file. `module`: where Keras finds the class. `offered`: whether a person can put one
    into a model by its arguments alone.
    """

    family: Family
    kind: str = ""
    rank: int = 0
    acts: Acts = ""
    fields: str = ""
    common: str = "name trainable dtype activity_regularizer autocast"
    defaults: Config = {}
    call: tuple[str, ...] | None = ("inputs",)
    arrays: tuple[Array, ...] = ()
    held: str = ""
    sized: Literal["", "nothing", "channels", "last"] = ""
    inside: tuple[tuple[str, str], ...] = ()
    parts: tuple[str, ...] = ()
    forgets: bool = False
    states: int = 0
    idle: bool = False
    same_shape: bool = False
    several: bool = False
    files: tuple[str, ...] = ()
    module: str = "keras.layers"
    offered: bool = True


def _of(*names: str) -> str:
    """The settings that every array has."""
    return " ".join(f"{name}_initializer {name}_regularizer {name}_constraint" for name in names)


_RANKS = (1, 2, 3)
_TRAINED = ("inputs", "training")
_MASKED = ("inputs", "mask")
_SEQUENCES = ("sequences", "initial_state", "mask", "training")
_IMAGES = ("data", "training")
_BIAS = f"use_bias {_of('bias')}"
_LORA = "lora_rank lora_alpha"
_DENSE = f"activation {_of('kernel')} {_of('bias')} {_LORA} quantization_config"
_EMBEDDING = f"input_dim output_dim mask_zero weights {_of('embeddings')} {_LORA} quantization_config"
_BIASED = flag("use_bias")
_OUT = Array("bias", "out", "bias", when=_BIASED)

# Convolutions

_CONV = f"rank filters kernel_size strides padding data_format dilation_rate activation {_of('kernel')} {_BIAS}"
_DEPTHWISE = (
    f"rank depth_multiplier kernel_size strides padding data_format dilation_rate activation {_of('depthwise')} {_BIAS}"
)


def _places(rank: int, *further: str) -> str:
    return " ".join([*["place"] * rank, *further])


_CONVOLUTIONS = {
    **{
        f"Conv{rank}D": Row(
            family="convolution", kind="plain", rank=rank, acts="mixing", fields=f"{_CONV} groups {_LORA}",
            arrays=(Array("kernel", _places(rank, "in", "out"), "kernel"), _OUT), sized="channels",
        )
        for rank in _RANKS
    },
    **{
        f"Conv{rank}DTranspose": Row(
            family="convolution", kind="transposed", rank=rank, acts="mixing", fields=f"{_CONV} output_padding",
            arrays=(Array("kernel", _places(rank, "out", "in"), "kernel"), _OUT), sized="channels",
        )
        for rank in _RANKS
    },
    **{
        f"DepthwiseConv{rank}D": Row(
            family="convolution", kind="depthwise", rank=rank, acts="filter", fields=_DEPTHWISE,
            arrays=(
                Array("kernel", _places(rank, "in", "times"), "depthwise"),
                # one number for each channel that goes in
                Array("bias", "channel", "shift", when=_BIASED),
            ),
            sized="channels",
        )
        for rank in (1, 2)
    },
    **{
        f"SeparableConv{rank}D": Row(
            family="convolution", kind="separable", rank=rank, acts="mixing",
            fields=f"{_DEPTHWISE} filters {_of('pointwise')}",
            arrays=(
                Array("depthwise_kernel", _places(rank, "in", "times"), "depthwise"),
                Array("pointwise_kernel", "... in out", "kernel"),
                _OUT,
            ),
            sized="channels",
        )
        for rank in (1, 2)
    },
}  # fmt: skip

# Dense layers, tables, recurrent layers

_CELL = f"activation {_of('kernel', 'recurrent')} {_BIAS} dropout recurrent_dropout seed"
_LOOP = "cell go_backwards return_sequences return_state stateful unroll zero_output_for_mask"
_GATES = (
    Array("kernel", "in gates", "kernel"),
    Array("recurrent_kernel", "units gates"),
    Array("bias", "gates", "bias", when=_BIASED),
)
_MAPS = tuple(
    (Array("kernel", _places(rank, "in", "gates"), "kernel"), *_GATES[1:]) for rank in _RANKS
)  # fmt: skip
_TANH = {"activation": "tanh"}


def _recurrent(own: str, states: int) -> Row:
    return Row(
        family="recurrent", kind="units", rank=1, acts="mixing", fields=f"units {_CELL} {_LOOP} {own}", defaults=_TANH,
        call=_SEQUENCES, arrays=_GATES, held="cell", sized="last", states=states,
    )  # fmt: skip


def _cell(own: str, states: int, first: str = "inputs") -> Row:
    return Row(
        family="recurrent", kind="cell", fields=f"units {_CELL} {own}", defaults=_TANH,
        call=(first, "states", "training"), arrays=_GATES, states=states, several=True, offered=False,
    )  # fmt: skip


_MEMORIES = {
    "Dense": Row(
        family="dense", acts="mixing", fields=f"units use_bias {_DENSE}", call=_TRAINED, sized="last",
        arrays=(Array("kernel", "in ... out", "kernel"), _OUT),
    ),
    "EinsumDense": Row(
        family="dense", acts="mixing", call=_TRAINED,
        fields=f"equation output_shape bias_axes gptq_unpacked_column_size {_DENSE}",
        arrays=(
            Array("kernel", "in ... out", "kernel"),
            Array("bias", "out", "bias", when=lambda config: config.get("bias_axes") is not None),
        ),
    ),
    "Embedding": Row(
        family="embedding", acts="tokens", fields=_EMBEDDING, sized="last",
        arrays=(Array("embeddings", "position out", "table"),),
    ),
    "ReversibleEmbedding": Row(
        family="embedding", acts="tokens", fields=f"{_EMBEDDING} tie_weights logit_soft_cap reverse_dtype",
        call=("inputs", "reverse"),
        arrays=(
            Array("embeddings", "position out", "table"),
            Array("reverse_embeddings", "out position", "table", when=lambda config: not flag("tie_weights")(config)),
        ),
    ),
    "LSTM": _recurrent("recurrent_activation unit_forget_bias use_cudnn", 2),
    "GRU": _recurrent("recurrent_activation reset_after use_cudnn", 1),
    "SimpleRNN": _recurrent("", 1),
    "LSTMCell": _cell("recurrent_activation unit_forget_bias", 2),
    "GRUCell": _cell("recurrent_activation reset_after", 1),
    "SimpleRNNCell": _cell("", 1, "sequence"),
    "StackedRNNCells": Row(
        family="recurrent", kind="cell", fields="cells", call=None, inside=(("cells", "cells"),), several=True,
        offered=False,
    ),
    "RNN": Row(
        family="recurrent", kind="cells", rank=1, acts="mixing", fields=_LOOP, call=_SEQUENCES, arrays=_GATES,
        held="cell", inside=(("cell", "cell"),), offered=False,
    ),
    **{
        f"ConvLSTM{rank}D": Row(
            family="recurrent", kind="map", rank=rank, acts="mixing",
            fields=f"rank filters kernel_size strides padding data_format dilation_rate {_CELL} {_LOOP} "
            "recurrent_activation unit_forget_bias",
            defaults=_TANH, call=_SEQUENCES, arrays=_MAPS[rank - 1], held="cell", forgets=True, states=2,
        )
        for rank in _RANKS
    },
}  # fmt: skip

# Normalization and activation

_SCALED = (
    Array("gamma", "... channel", "scale", when=flag("scale")),
    Array("beta", "... channel", "shift", when=flag("center")),
)
_NORMED = f"axis center scale epsilon {_of('gamma', 'beta')}"
_RENORMED = flag("renorm", default=False)


def _rms(config: Config) -> bool:
    return flag("rms_scaling", default=False)(config)


def _learns(config: Config) -> bool:
    return config.get("mean") is None


_NORMALIZATIONS = {
    "BatchNormalization": Row(
        family="normalization", kind="batch", acts="channel", same_shape=True, sized="channels",
        call=("inputs", "training", "mask"),
        fields=f"{_NORMED} momentum synchronized moving_mean_initializer moving_variance_initializer renorm "
        "renorm_clipping renorm_momentum",
        arrays=(
            *_SCALED,
            Array("moving_mean", "... channel", "mean", trainable=False),
            Array("moving_variance", "... channel", "variance", trainable=False),
            *(
                Array(name, "... channel", trainable=False, when=_RENORMED)
                for name in ("moving_stddev", "renorm_mean", "renorm_stddev")
            ),
        ),
    ),
    "LayerNormalization": Row(
        family="normalization", kind="sample", acts="across", same_shape=True, fields=f"{_NORMED} rms_scaling",
        arrays=(
            Array("gamma", "... channel", "scale", when=lambda config: _rms(config) or flag("scale")(config)),
            Array("beta", "... channel", "shift", when=lambda config: not _rms(config) and flag("center")(config)),
        ),
    ),
    "GroupNormalization": Row(
        family="normalization", kind="groups", acts="across", same_shape=True, fields=f"{_NORMED} groups",
        defaults={"groups": 32}, arrays=_SCALED, sized="channels",
    ),
    "RMSNormalization": Row(
        family="normalization", kind="sample", acts="across", same_shape=True, fields="axis epsilon",
        defaults={"epsilon": 1e-06}, call=("x",), arrays=(Array("scale", "... channel", "scale"),), sized="last",
    ),
    "UnitNormalization": Row(family="normalization", kind="unit", acts="across", same_shape=True, fields="axis"),
    "Normalization": Row(
        family="normalization", kind="batch", acts="channel", same_shape=True, fields="axis invert mean variance",
        arrays=(
            Array("mean", "... channel", "mean", trainable=False, when=_learns),
            Array("variance", "... channel", "variance", trainable=False, when=_learns),
            Array("count", "", trainable=False, when=_learns),
        ),
    ),
}  # fmt: skip
_ACTIVATIONS = {
    "Activation": Row(family="activation", acts="number", same_shape=True, fields="activation"),
    "ELU": Row(family="activation", acts="number", same_shape=True, fields="alpha"),
    "LeakyReLU": Row(
        family="activation", acts="number", same_shape=True, fields="negative_slope", defaults={"negative_slope": 0.3}
    ),
    "ReLU": Row(
        family="activation", acts="number", same_shape=True, fields="max_value negative_slope threshold",
        defaults={"negative_slope": 0.0},
    ),
    "PReLU": Row(
        family="activation", acts="channel", same_shape=True, fields=f"shared_axes {_of('alpha')}",
        arrays=(Array("alpha", "... channel", "scale"),),
    ),
    "Softmax": Row(family="activation", acts="across", same_shape=True, fields="axis", call=_MASKED),
}  # fmt: skip

# Maps and other shapes

_POOLED = "pool_size strides padding data_format pool_dimensions pool_mode"
_SHAPES = {
    **{
        f"{name}Pooling{rank}D": Row(
            family="pooling", kind=kind, rank=rank, acts="map", fields=_POOLED, defaults={"strides": None}
        )
        for name, kind in (("Average", "average"), ("Max", "max"))
        for rank in _RANKS
    },
    **{
        f"Global{name}Pooling{rank}D": Row(
            family="pooling", kind=f"global {kind}", rank=rank, acts="map",
            fields="data_format keepdims pool_dimensions",
            call=_MASKED if (name, rank) == ("Average", 1) else ("inputs",),
        )
        for name, kind in (("Average", "average"), ("Max", "max"))
        for rank in _RANKS
    },
    **{
        f"Adaptive{name}Pooling{rank}D": Row(
            family="pooling", kind=f"adaptive {kind}", rank=rank, acts="map", fields="output_size data_format"
        )
        for name, kind in (("Average", "average"), ("Max", "max"))
        for rank in _RANKS
    },
    **{
        f"ZeroPadding{rank}D": Row(
            family="reshaping", kind="padding", rank=rank, acts="map", fields="padding data_format",
            defaults={"padding": 1},
        )
        for rank in _RANKS
    },
    **{
        f"Cropping{rank}D": Row(
            family="reshaping", kind="cropping", rank=rank, acts="map",
            fields="cropping" if rank == 1 else "cropping data_format", defaults={"cropping": 0 if rank == 2 else 1},
        )
        for rank in _RANKS
    },
    "UpSampling1D": Row(family="reshaping", kind="upsampling", rank=1, acts="map", fields="size"),
    "UpSampling2D": Row(
        family="reshaping", kind="upsampling", rank=2, acts="map", fields="size data_format interpolation",
        defaults={"interpolation": "nearest"},
    ),
    "UpSampling3D": Row(family="reshaping", kind="upsampling", rank=3, acts="map", fields="size data_format"),
    "Flatten": Row(family="reshaping", acts="moving", fields="data_format"),
    "Permute": Row(family="reshaping", acts="moving", fields="dims"),
    "RepeatVector": Row(family="reshaping", acts="moving", fields="n"),
    "Reshape": Row(family="reshaping", acts="moving", fields="target_shape", sized="nothing"),
}  # fmt: skip

# Several tensors

_HEADS = (
    *("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"),
    *("return_attention_scores", "training", "use_causal_mask"),
)
_PARTS = ("query_dense", "key_dense", "value_dense", "output_dense")
_ATTENDED = f"dropout {_BIAS} {_of('kernel')} flash_attention seed sliding_window use_gate"
_SCORED = ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask")
_CONCAT = Array(
    "concat_score_weight", "", when=lambda config: config.get("score_mode") == "concat"
)  # fmt: skip
_TOGETHER = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
_SEVERAL = {
    **{
        # Keras builds these only to check shapes
        name: Row(family="merge", kind="together", acts="together", sized="nothing", several=True)
        for name in _TOGETHER
    },
    "Concatenate": Row(family="merge", acts="joining", fields="axis", several=True),
    "Dot": Row(family="merge", fields="axes normalize", several=True),
    "MultiHeadAttention": Row(
        family="attention", kind="heads", acts="mixing", call=_HEADS, parts=_PARTS, forgets=True, several=True,
        fields=f"num_heads key_dim value_dim output_shape attention_axes {_ATTENDED}",
    ),
    "GroupQueryAttention": Row(
        family="attention", kind="heads", acts="across", call=_HEADS, parts=tuple(f"_{part}" for part in _PARTS),
        forgets=True, several=True, fields=f"head_dim num_query_heads num_key_value_heads {_ATTENDED}",
    ),
    "Attention": Row(
        family="attention", acts="across", fields="use_scale score_mode dropout seed", call=_SCORED, several=True,
        defaults={"use_scale": False},
        arrays=(Array("scale", "", when=flag("use_scale", default=False)), _CONCAT),
    ),
    "AdditiveAttention": Row(
        family="attention", acts="across", fields="use_scale score_mode dropout seed", call=_SCORED, several=True,
        arrays=(Array("scale", "units", when=flag("use_scale")),),
    ),
}  # fmt: skip

# What only acts in training

_NOISE = {
    **{
        name: Row(
            family="regularization", kind="dropout", acts="number", idle=True, same_shape=True, fields=fields,
            call=_TRAINED,
        )
        for name, fields in (
            ("Dropout", "rate noise_shape seed"), ("AlphaDropout", "rate noise_shape seed"),
            ("GaussianDropout", "rate seed"),
        )
    },
    **{
        f"SpatialDropout{rank}D": Row(
            family="regularization", kind="dropout", rank=rank, acts="map", idle=True, same_shape=True,
            fields="rate seed" if rank == 1 else "rate seed data_format", common="name dtype", call=_TRAINED,
        )
        for rank in _RANKS
    },
    "GaussianNoise": Row(
        family="regularization", kind="noise", acts="number", idle=True, same_shape=True, fields="stddev seed",
        call=_TRAINED,
    ),
    "ActivityRegularization": Row(
        family="regularization", kind="penalty", acts="number", idle=True, same_shape=True, fields="l1 l2"
    ),
}  # fmt: skip

_IMAGE = "data_format factor bounding_box_format"
_MOVED = "fill_mode fill_value interpolation seed"


def _image(fields: str, **further: Any) -> Row:
    """A layer that changes images while a model is trained, and hands them on otherwise."""
    return Row(
        family="augmentation", rank=2, acts="map", idle=True, same_shape=True, fields=f"{_IMAGE} {fields}",
        call=_IMAGES, **further,
    )  # fmt: skip


_COLOURS = "seed value_range"
_AUGMENTATIONS = {
    **dict.fromkeys(
        (
            "RandomBrightness", "RandomColorDegeneration", "RandomContrast", "RandomHue", "RandomInvert",
            "RandomPosterization", "RandomSaturation", "RandomSharpness",
        ),
        _image(_COLOURS),
    ),
    "AugMix": _image(f"{_COLOURS} all_ops alpha chain_depth interpolation num_chains"),
    "CutMix": _image("seed"),
    "Equalization": _image("bins value_range"),
    "MaxNumBoundingBoxes": _image("max_number fill_value", defaults={"fill_value": -1}),
    "MixUp": _image("seed alpha", defaults={"alpha": 0.2}),
    "RandAugment": _image(f"{_COLOURS} num_ops interpolation"),
    "RandomColorJitter": _image(
        f"{_COLOURS} brightness_factor contrast_factor saturation_factor hue_factor"
    ),
    "RandomElasticTransform": _image(f"{_MOVED} scale value_range", defaults={"scale": 1.0}),
    "RandomErasing": _image(
        f"{_COLOURS} fill_value scale", defaults={"fill_value": None, "scale": (0.02, 0.33)}
    ),
    "RandomFlip": _image("mode seed"),
    "RandomGaussianBlur": _image(f"{_COLOURS} kernel_size sigma"),
    "RandomGrayscale": _image("seed", offered=False),
    "RandomPerspective": _image("fill_value interpolation scale seed", defaults={"scale": 1.0}),
    "RandomRotation": _image(_MOVED),
    "RandomShear": _image(f"{_MOVED} x_factor y_factor"),
    "RandomTranslation": _image(f"{_MOVED} height_factor width_factor"),
    "RandomZoom": _image(f"{_MOVED} height_factor width_factor"),
    "Solarization": _image(f"{_COLOURS} addition_factor threshold_factor"),
    # Keras says that it gives the crop's size outside training too, though it hands on whole images then.
    "RandomCrop": Row(
        family="augmentation", rank=2, acts="map", fields=f"{_IMAGE} height width seed", call=_IMAGES
    ),
    # These two act outside training as well.
    "AutoContrast": Row(
        family="augmentation", rank=2, acts="map", same_shape=True, fields=f"{_IMAGE} value_range", call=_IMAGES
    ),
    "ContrastLimitedAdaptiveHistogramEqualization": Row(
        family="augmentation", rank=2, same_shape=True, fields=f"{_IMAGE} clip_limit tile_grid_size value_range",
        call=_IMAGES,
    ),
}  # fmt: skip

# What makes numbers of data

_VOCABULARY = ("vocabulary", "idf_weights")
_LOOKUP = (
    "idf_weights invert mask_token max_tokens num_oov_indices oov_method oov_token output_mode pad_to_max_tokens salt "
    "sparse vocabulary vocabulary_dtype vocabulary_size"
)
_PREPROCESSING = {
    "CategoryEncoding": Row(
        family="preprocessing", kind="encoding", acts="tokens", fields="num_tokens output_mode sparse",
        defaults={"output_mode": "multi_hot"}, call=("inputs", "count_weights"),
    ),
    "CenterCrop": Row(
        family="preprocessing", kind="image", rank=2, acts="map", fields=f"{_IMAGE} height width", call=_IMAGES
    ),
    "Discretization": Row(
        family="preprocessing", kind="encoding", fields="bin_boundaries epsilon num_bins output_mode sparse",
        common="name dtype", defaults={"epsilon": 0.01},
    ),
    "HashedCrossing": Row(
        family="preprocessing", kind="encoding", acts="tokens", fields="num_bins output_mode sparse", several=True
    ),
    "Hashing": Row(
        family="preprocessing", kind="encoding", acts="tokens", fields="mask_value num_bins output_mode salt sparse"
    ),
    "IntegerLookup": Row(
        family="preprocessing", kind="lookup", acts="tokens", fields=_LOOKUP, files=_VOCABULARY
    ),
    "StringLookup": Row(
        family="preprocessing", kind="lookup", acts="tokens", fields=f"{_LOOKUP} encoding", files=_VOCABULARY,
        defaults={"oov_token": "[UNK]"},
    ),
    "TextVectorization": Row(
        family="preprocessing", kind="lookup", acts="tokens", files=_VOCABULARY,
        fields="encoding idf_weights max_tokens ngrams output_mode output_sequence_length pad_to_max_tokens ragged "
        "sparse split standardize vocabulary vocabulary_size",
    ),
    "MelSpectrogram": Row(
        family="preprocessing", kind="audio",
        fields="fft_length mag_exp max_freq min_freq min_power num_mel_bins power_to_db ref_power sampling_rate "
        "sequence_length sequence_stride top_db window",
    ),
    "STFTSpectrogram": Row(
        family="preprocessing", kind="audio",
        fields="data_format expand_dims fft_length frame_length frame_step mode padding periodic scaling window",
        arrays=(
            Array("real_kernel", trainable=False, when=lambda config: config.get("mode") != "imag"),
            Array("imag_kernel", trainable=False, when=lambda config: config.get("mode") != "real"),
        ),
    ),
    "Rescaling": Row(family="preprocessing", kind="image", acts="channel", same_shape=True, fields="offset scale"),
    "Resizing": Row(
        family="preprocessing", kind="image", rank=2, acts="map", call=_IMAGES,
        fields=f"{_IMAGE} antialias crop_to_aspect_ratio fill_mode fill_value height interpolation "
        "pad_to_aspect_ratio width",
        defaults={"fill_mode": "constant"},
    ),
}  # fmt: skip

# Wrappers, and what belongs nowhere else

_CORE = {
    "Bidirectional": Row(
        family="wrapper", acts="mixing", fields="backward_layer layer merge_mode weights", call=_SEQUENCES,
        sized="last", inside=(("layer", "forward_layer"), ("backward_layer", "backward_layer")),
    ),
    "SpectralNormalization": Row(
        family="wrapper", fields="layer power_iterations", call=_TRAINED, inside=(("layer", "layer"),),
        arrays=(Array("vector_u", "one out", "bias", trainable=False),),
    ),
    "TimeDistributed": Row(
        family="wrapper", fields="layer", call=("inputs", "training", "mask"), inside=(("layer", "layer"),)
    ),
    "Wrapper": Row(family="wrapper", fields="layer", call=None, inside=(("layer", "layer"),), offered=False),
    "Identity": Row(family="core", acts="number", idle=True, same_shape=True),
    "InputLayer": Row(
        family="core", kind="input", call=None, offered=False,
        fields="batch_shape batch_size input_tensor optional ragged shape sparse",
    ),
    "Lambda": Row(
        family="code", fields="arguments function mask output_shape", call=("inputs", "mask", "training"),
        offered=False,
    ),
    "Layer": Row(family="core", call=None, offered=False),
    "Masking": Row(
        family="core", kind="masking", acts="channel", same_shape=True, fields="mask_value",
        defaults={"mask_value": 0.0},
    ),
    "Pipeline": Row(
        family="core", common="name", fields="layers", call=("inputs", "training", "mask"), offered=False
    ),
    **{
        name: Row(family="code", kind="foreign", call=None, offered=False)
        for name in ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper")
    },
}  # fmt: skip

_CONVNEXT = "keras.src.applications.convnext"
_APPLICATIONS = {
    "LayerScale": Row(
        family="core", acts="channel", same_shape=True, fields="init_values projection_dim", module=_CONVNEXT,
        call=("x",), arrays=(Array("gamma", "... channel", "scale"),),
    ),
    "StochasticDepth": Row(
        family="regularization", kind="depth", acts="number", idle=True, same_shape=True, fields="drop_path_rate",
        call=("x", "training"), module=_CONVNEXT,
    ),
    "CustomScaleLayer": Row(
        family="merge", acts="together", same_shape=True, fields="scale", several=True,
        module="keras.src.applications.inception_resnet_v2",
    ),
}  # fmt: skip
"""Layers that `keras.applications` brings along, under the module that Keras itself imports them from."""

ROWS: dict[str, Row] = {
    **_CONVOLUTIONS,
    **_MEMORIES,
    **_NORMALIZATIONS,
    **_ACTIVATIONS,
    **_SHAPES,
    **_SEVERAL,
    **_NOISE,
    **_AUGMENTATIONS,
    **_PREPROCESSING,
    **_CORE,
    **_APPLICATIONS,
}
"""Every class by the name that Keras serialises it under."""
