"""Keras 1's layer classes and fields under the names that Keras 2 gave them."""

from typing import Any

from core.findings import Finding
from core.repairs.base import Change, Config, Dialect, Repair, with_config

_CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
    "Convolution2DTranspose": "Conv2DTranspose",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "SyncBatchNormalization": "BatchNormalization",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "GRUV2": "GRU",
    "LSTMV2": "LSTM",
    "ConvLSTM2DCell": "ConvLSTMCell",
    "GroupedQueryAttention": "GroupQueryAttention",
}
"""Old class names; those of later versions came as aliases."""

_COMMON = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "p": "rate",
    "sigma": "stddev",
    "pool_length": "pool_size",
    "stride": "strides",
    "length": "size",
    "output_dim": "units",
}
_BY_CLASS: dict[str, dict[str, str]] = {
    "Embedding": {
        "output_dim": "output_dim",
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "PReLU": {"init": "alpha_initializer"},
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    "SeparableConv2D": {"init": "depthwise_initializer"},
}
_DROPPED = (
    "consume_less",
    "forget_bias_init",
    "nb_row",
    "nb_col",
    "kernel_dim1",
    "kernel_dim2",
    "kernel_dim3",
    "dim_ordering",
)
_MODES = {1: "each sample separately", 2: "with the statistics of each batch"}
"""What a BatchNormalization did where its mode was not 0."""
_ORDERINGS = {"th": "channels_first", "tf": "channels_last"}
_SIGNS = {"nb_filter", "border_mode", "init", "output_dim", "W_regularizer", "p", "sigma", "pool_length", "inner_init"}


def _apply(layer: Config, dialect: Dialect) -> Change | None:
    name = _CLASSES.get(str(layer["class_name"]), str(layer["class_name"]))
    config = layer["config"]
    if not _is_old(layer, dialect):
        return (
            Change({**layer, "class_name": name}, f"{layer['class_name']} is now {name}")
            if name != layer["class_name"]
            else None
        )
    table = {**_COMMON, **_BY_CLASS.get(name, {})}
    fields: Config = {}
    for field, value in config.items():
        if field not in _DROPPED:
            fields[table.get(field, field)] = value
    fields.update(_kernel(config))
    ordering = str(config.get("dim_ordering"))
    if ordering in (*_ORDERINGS, "default"):
        fields["data_format"] = _ORDERINGS.get(str(ordering), _ORDERINGS[dialect.ordering])
    if "forget_bias_init" in config:
        fields["unit_forget_bias"] = config["forget_bias_init"] == "one"
    findings: tuple[Finding, ...] = ()
    if name == "BatchNormalization" and fields.pop("mode", 0) in _MODES:
        text = (
            f"{{layer}} has mode={config['mode']}: Keras 1 normalized {_MODES[config['mode']]}, but Keras 3 uses the "
            "stored statistics, so outputs differ."
        )
        findings = (Finding("warning", "legacy.repaired", "", text),)
    if name == "Embedding":
        fields.pop("dropout", None)
    made = {**with_config(layer, fields), "class_name": name}
    if fields == config and name == layer["class_name"]:
        return None
    return Change(made, "its settings now have the names of Keras 3", findings)


def _is_old(layer: Config, dialect: Dialect) -> bool:
    if layer.get("module") is not None or dialect.major > 1:
        return False
    config = layer["config"]
    return bool(_SIGNS & set(config)) or "dim_ordering" in config or "mode" in config or layer["class_name"] in _CLASSES


def _kernel(config: Config) -> Config:
    if "nb_row" in config and "nb_col" in config:
        return {"kernel_size": [config["nb_row"], config["nb_col"]]}
    if "kernel_dim1" in config:
        return {"kernel_size": [config["kernel_dim1"], config["kernel_dim2"], config["kernel_dim3"]]}
    return {}


def ordering_of(value: Any) -> str | None:
    """Keras 1's `dim_ordering` found anywhere in a config: `th`, `tf` or `None`."""
    if isinstance(value, dict):
        if value.get("dim_ordering") in _ORDERINGS:
            return str(value["dim_ordering"])
        children: Any = value.values()
    elif isinstance(value, list):
        children = value
    else:
        return None
    return next((found for child in children if (found := ordering_of(child)) is not None), None)


REPAIR = Repair("keras 1 fields", "Layers of Keras 1", _apply)
