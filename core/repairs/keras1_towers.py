"""Sequential models that begin with Keras 1's `Merge` of other models: a Functional model with an input for each.

Keras 1 wrote the merged models into the Merge's config. It kept the arrays of their layers in groups of their own, as
if the layers stood in the outer model (`flattened_layers`), so that is where they go here. A layer that occurs in two
branches under one name is shared (`Sequential.legacy_from_config`).
"""

from typing import Any

from core.repairs.base import Change, Config, Dialect, Repair, is_serialised
from core.repairs.sequential import hoist

Port = list[Any]
"""A tensor as Keras 1 writes it: layer, node, number of the output."""


class _Joined:
    """The layers of a Functional model as they are collected."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.layers: dict[str, Config] = {}
        self.inputs: list[Port] = []

    def chain(self, model: Config) -> Port | None:
        """Add a Sequential's layers and answer with its output; `None` where their form is unknown."""
        hoisted = hoist(model, self.dialect)
        first, *rest = (hoisted.layer if hoisted is not None else model)["config"]["layers"] or [None]
        port = self._first(first)
        for item in rest:
            if port is None or not is_serialised(item):
                return None
            port = self._call(item, [port])
        return port

    def _first(self, item: Any) -> Port | None:
        if not is_serialised(item):
            return None
        if _merges(item):
            ports = [self.branch(inner) for inner in item["config"]["layers"]]
            fields = {key: value for key, value in item["config"].items() if key != "layers"}
            known = [port for port in ports if port is not None]
            return self._call({**item, "config": fields}, known) if len(known) == len(ports) else None
        if item["class_name"] == "InputLayer":
            port = self._call(item, [])
            if port not in self.inputs:
                self.inputs.append(port)
            return port
        return self.branch(item)

    def branch(self, model: Any) -> Port | None:
        """Add a model that stands at the beginning, Sequential or Functional, and answer with its output."""
        if not is_serialised(model) or not isinstance(model["config"].get("layers"), list):
            return None
        if model["class_name"] == "Sequential":
            return self.chain(model)
        config = model["config"]
        outputs = config.get("output_layers")
        if not all(map(is_serialised, config["layers"])) or not isinstance(outputs, list) or len(outputs) != 1:
            return None
        if any(_name(item) in self.layers for item in config["layers"]):
            return None
        for item in config["layers"]:
            self.layers[_name(item)] = item
        self.inputs += config.get("input_layers", [])
        return list(outputs[0])

    def _call(self, item: Config, ports: list[Port]) -> Port:
        """One more use of a layer, which is added the first time its name comes."""
        known = self.layers.get(_name(item), {**item, "name": _name(item), "inbound_nodes": []})
        nodes = known["inbound_nodes"]
        node = [[*port, {}] for port in ports]
        if ports and node not in nodes:
            nodes = [*nodes, node]
        self.layers[_name(item)] = {**known, "inbound_nodes": nodes}
        # Keras 1 counts the calls of a model inside from 1
        before = int("layers" in item["config"])
        return [_name(item), before + (nodes.index(node) if ports else 0), 0]


def _merges(item: Config) -> bool:
    return item.get("class_name") == "Merge" and isinstance(item["config"].get("layers"), list)


def _name(item: Config) -> str:
    return str(item.get("name") or item["config"].get("name") or "")


def _apply(model: Config, dialect: Dialect) -> Change | None:
    if model.get("class_name") != "Sequential" or not is_serialised(model):
        return None
    layers = model["config"].get("layers")
    if not isinstance(layers, list) or not layers or not is_serialised(layers[0]) or not _merges(layers[0]):
        return None
    joined = _Joined(dialect)
    output = joined.chain(model)
    if output is None:
        return None
    config = {key: value for key, value in model["config"].items() if key != "layers"}
    config |= {"layers": list(joined.layers.values()), "input_layers": joined.inputs, "output_layers": [output]}
    said = f"its Merge of {len(layers[0]['config']['layers'])} models is now a model with {len(joined.inputs)} inputs"
    return Change({**model, "class_name": "Model", "config": config}, said)


REPAIR = Repair("towers", "Sequential models that merge others", _apply)
