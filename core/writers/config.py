"""From a graph back to Keras 3's model config, the JSON that `.keras` and `.h5` files carry. Pure: no Keras needed."""

from typing import Any

from core.layers.rows import ROWS
from core.model.graph import Call, Graph, Layer, TensorRef

_NO_TRAINABLE = frozenset(name for name, row in ROWS.items() if "trainable" not in row.common) | {"InputLayer"}
"""Classes whose constructor takes no `trainable`."""


def model_config(graph: Graph) -> dict[str, Any]:
    """The serialised form of a whole model: `{"module", "class_name", "config", "registered_name"}`."""
    return {
        "module": graph.module,
        "class_name": graph.class_name,
        "config": inner_config(graph, {}),
        "registered_name": _registered_name(graph),
    }


def inner_config(graph: Graph, base: dict[str, Any]) -> dict[str, Any]:
    """A model's `config` entry: its layers, inputs and outputs, over what `base` and the graph keep of other fields."""
    if graph.opaque:
        return {**graph.config, **base}
    config = {**graph.config, **base, "name": graph.name, "trainable": graph.trainable}
    if graph.is_sequential:
        config["layers"] = [layer_config(layer, graph) for layer in graph.layers]
        shape = graph.layers[0].config.get("batch_shape") if graph.layers and graph.layers[0].is_input else None
        config.pop("build_input_shape", None)
        if shape is not None:
            config["build_input_shape"] = list(shape)
        return config
    models = {layer.name for layer in graph.layers if _is_functional(layer)}
    config["layers"] = [{**layer_config(layer, graph), "inbound_nodes": _nodes(layer, graph)} for layer in graph.layers]
    config["input_layers"] = _ports(graph.inputs, models)
    config["output_layers"] = _ports(graph.outputs, models)
    return config


def layer_config(layer: Layer, graph: Graph) -> dict[str, Any]:
    """One layer's entry in its model's `layers`, without `inbound_nodes`."""
    config = {**layer.config}
    if not layer.is_operation or "name" in config:
        config["name"] = layer.name
    if not layer.is_operation and layer.class_name not in _NO_TRAINABLE:
        config["trainable"] = layer.trainable
    if layer.inner is not None:
        if layer.inner_key is None:
            config = inner_config(layer.inner, config)
            config["name"] = layer.name
        else:
            config[layer.inner_key] = model_config(layer.inner)
    if not layer.opaque:
        config = {key: _unbuilt(value) for key, value in config.items()}
    entry = {
        "module": layer.module,
        "class_name": layer.class_name,
        "config": config,
        "registered_name": _registered_name(layer),
        "name": layer.name,
    }
    if layer.build_config is not None and layer.opaque and _arrives_as_built(layer, graph):
        # Known layers are built by being called; a stored build shape would contradict an edited input.
        entry["build_config"] = layer.build_config
    return entry


def _registered_name(item: Layer | Graph) -> str | None:
    """The name that Keras looks a class up by. Old files have the class alone, which then is that name."""
    return item.class_name if item.module is None and item.registered_name is None else item.registered_name


def _arrives_as_built(layer: Layer, graph: Graph) -> bool:
    """Whether a layer without code still gets what its stored build shape says; unless, calling it builds it."""
    shape, refs = (layer.build_config or {}).get("input_shape"), layer.calls[0].inputs() if layer.calls else ()
    if not isinstance(shape, list) or len(refs) != 1:
        return True
    now = graph.spec(refs[0]).shape
    return now is not None and list(now[1:]) == shape[1:]


def _unbuilt(value: Any) -> Any:
    """Wrapped layers (and stacked cells) without their build shape: the outer layer builds them, and an edit may have
    changed it.
    """
    if isinstance(value, list):
        return [_unbuilt(item) for item in value]
    if not isinstance(value, dict) or "class_name" not in value or not isinstance(value.get("config"), dict):
        return value
    if "layers" in value["config"]:
        return value
    inner = {key: _unbuilt(item) for key, item in value["config"].items()}
    return {**{key: item for key, item in value.items() if key != "build_config"}, "config": inner}


def _is_functional(layer: Layer) -> bool:
    return layer.is_model and layer.inner is not None and not layer.inner.is_sequential


def _nodes(layer: Layer, graph: Graph) -> list[dict[str, Any]]:
    return [_node(call, graph) for call in layer.calls if call.args or call.kwargs]


def _node(call: Call, graph: Graph) -> dict[str, Any]:
    return {"args": [_value(arg, graph) for arg in call.args], "kwargs": _value(call.kwargs, graph)}


def _value(value: Any, graph: Graph) -> Any:
    if isinstance(value, TensorRef):
        spec = graph.spec(value)
        return {
            "class_name": "__keras_tensor__",
            "config": {
                # Keras rebuilds by the history, but refuses a tensor of no shape at all
                "shape": [] if spec.shape is None else list(spec.shape),
                "dtype": spec.dtype,
                "keras_history": [value.layer, value.call, value.output],
            },
        }
    if isinstance(value, dict):
        return {key: _value(item, graph) for key, item in value.items()}
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "config": {"value": [_value(item, graph) for item in value]}}
    if isinstance(value, list):
        return [_value(item, graph) for item in value]
    return value


def _ports(structure: Any, models: set[str]) -> Any:
    """Input or output references as Keras writes them: nested Functional models count their calls from 1 here."""
    if isinstance(structure, TensorRef):
        return [structure.layer, structure.call + (structure.layer in models), structure.output]
    if isinstance(structure, dict):
        return {key: _ports(value, models) for key, value in structure.items()}
    return [_ports(value, models) for value in structure]
