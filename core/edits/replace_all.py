"""One replacement for every layer that matches: other settings, another activation, another class, at every depth."""

import json
from typing import Any

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.edits.drop_training_only import called_to_train
from core.edits.replace_layer import ReplaceLayer
from core.edits.set_trainable import made_by_code
from core.errors import EditError
from core.findings import Finding
from core.layers import table
from core.layers.alike import ACTIVATION_FIELDS, activation_name, as_activation, trains_alone
from core.layers.instances import as_groups, instance_kind
from core.model.graph import Graph, Layer
from core.surgery import contracts
from core.surgery.choosing import ALL, named
from core.surgery.selectors import chosen

Config = dict[str, Any]
Change = tuple[str, Layer, Layer]
"""A layer's path, what it was, what it is now."""
_DROPOUT = {name: table.row(name).fields.split() for name in table.classes(kind="dropout")}
_DROPOUT["FixedDropout"] = _DROPOUT["Dropout"]
"""Arguments that these classes share."""
_NORM = {
    name: ("axis", "epsilon", "center", "scale")
    for name in table.classes(family="normalization")
    if "center" in table.row(name).fields.split()
}
_ENTRY = frozenset({"class_name", "config", "module", "registered_name", "build_config"})
_WITHOUT_CODE = frozenset({"FixedDropout"})
"""Classes of known code that files often come without: they hand on what they get when a model answers."""


class ReplaceAll(Edit, frozen=True, kw_only=True, tag="replace_all", rename={"with_": "with"}):
    """`match` and `with` hold a `class_name`, arguments, or both: `{"class_name": "Dropout", "rate": 0.5}`.

    Layers inside wrappers count too; `layers` are globs on the paths of those that may change (`*`: all).

    An activation alone means every layer that has it, and layers and operations that are nothing but that activation.
    """

    match: Config
    with_: Config
    layers: tuple[str, ...] = ALL

    def check(self) -> None:
        """Something to look for, something to put there."""
        for name, fields in (("match", self.match), ("with", self.with_)):
            if not fields:
                raise EditError(f'{name} is empty; give a class_name, arguments, or both: {{"activation": "swish"}}.')
            if not isinstance(fields.get("class_name", ""), str):
                raise EditError(f"{name}: class_name must be the name of a layer class.")
        if "name" in self.with_:
            raise EditError("with cannot contain a name: every layer keeps its own.")
        if "class_name" in self.with_ and "class_name" not in self.match:
            raise EditError("with names a class, so match must also name the class to replace.")
        if self.match == self.with_:
            raise EditError("match and with are the same, so nothing would change.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with every match replaced. Raises `EditError` when nothing matches.

        The model answers as before where the replacement computes the same; else how far answers move is measured.
        """
        self.check()
        coded = made_by_code(graph)
        paths = {path for path, layer in graph.walk() if path not in coded and self._matches(layer)}
        if not paths:
            raise EditError(f"No layer matches {_text(self.match)}.")
        wanted = chosen(paths, self.layers, f"layer that matches {_text(self.match)}", graph)

        arrays: list[Finding] = []

        def change(path: str, layer: Layer) -> Layer:
            if path not in wanted:
                return layer
            made, told = self._replaced(layer)
            if (made.class_name, made.config) == (layer.class_name, layer.config):
                return layer
            # a fix would name the layer by itself, and find it replaced
            arrays.extend(replace(one, layer=path, actions=()) for one in told if one.code == "weight.unmatched")
            return made

        after = graph.replace_layers(change)
        if after is graph:
            raise EditError(f"Every layer that matches {_text(self.match)} already has these settings.")
        changed = _changed(graph, after)
        lossy = [(path, why) for path, old, new in changed if (why := self._lossy(old, new))]
        same = contracts.nearly() if lossy else contracts.unchanged()
        return Outcome(after, (same,), (*self._told(graph, changed, lossy), *arrays))

    def _told(self, before: Graph, changed: list[Change], lossy: list[tuple[str, str]]) -> tuple[Finding, ...]:
        """How many changed, and which compute something else."""
        if not changed:
            return ()
        first = changed[0][0]
        count = f"{len(changed)} layers" if len(changed) > 1 else first
        text = f"{count}: {_text(self.match)} became {_text(self.with_)}."
        found = [Finding("info", "layers.changed", first, text, detail="\n".join(path for path, _, _ in changed))]
        if lossy:
            path, why = lossy[0]
            which = path if len(lossy) == 1 else f"{len(lossy)} layers (first: {path})"
            unseen = any(before.find(one).opaque for one, _ in lossy)
            how = "Compare some outputs with those of the old model" if unseen else "Verify measures by how much"
            text = f"{which}: {why}, so outputs change. {how}."
            found.append(Finding("warning", "adapt.lossy", path, text, detail="\n".join(one for one, _ in lossy)))
        return tuple(found)

    def summary(self) -> str:
        """For the recipe list."""
        return f"Replace every {_text(self.match)} with {_text(self.with_)}" + named(self.layers)

    def _matches(self, layer: Layer) -> bool:
        if layer.is_input or layer.is_model:
            return False
        return (
            self._is_activation(layer) or self._fits(layer.class_name, layer.config) or bool(self._inside(layer.config))
        )

    def _is_activation(self, layer: Layer) -> bool:
        """Whether the layer is nothing but the activation that is looked for, and can become another one."""
        if set(self.match) != {"activation"} or set(self.with_) != {"activation"}:
            return False
        return as_activation(layer) == activation_name(self.match["activation"])

    def _fits(self, class_name: str, config: Config) -> bool:
        wanted = self.match.get("class_name")
        if wanted is not None and wanted not in (class_name, class_name.rpartition(">")[2]):
            return False
        fields = {key: value for key, value in self.match.items() if key != "class_name"}
        return all(key in config and _same(key, config[key], value) for key, value in fields.items())

    def _inside(self, config: Config) -> Config:
        """The entries of a wrapper's config that hold a match, replaced."""
        changed: Config = {}
        for carrier in table.CARRIERS:
            entry = config.get(carrier)
            if isinstance(entry, dict) and isinstance(entry.get("config"), dict):
                new = self._entry(entry)
                if new is not entry:
                    changed[carrier] = new
        return changed

    def _entry(self, entry: Config) -> Config:
        deeper = self._inside(entry["config"])
        config = {**entry["config"], **deeper}
        class_name = str(entry.get("class_name"))
        if not self._fits(class_name, config):
            return {**entry, "config": config} if deeper else entry
        fields = self._fields(class_name, config)
        new = self.with_.get("class_name", class_name)
        if new == class_name.rpartition(">")[2] and new == class_name:
            return {**entry, "config": {**config, **fields}}
        base = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
        module = self.with_.get("module", "keras.layers")
        return {"module": module, "class_name": new, "config": {**base, **fields}, "registered_name": None}

    def _fields(self, class_name: str, config: Config) -> Config:
        """The arguments of the replacement, with those that it shares with what it replaces."""
        given = {key: value for key, value in self.with_.items() if key not in _ENTRY}
        given |= self.with_.get("config") or {}
        new = self.with_.get("class_name", class_name)
        if new == class_name:
            return given
        if new == "GroupNormalization" and instance_kind(class_name, config):
            return {**as_groups(config), **given}
        short = class_name.rpartition(">")[2]
        both = next((set(one[new]) & set(one[short]) for one in (_DROPOUT, _NORM) if {new, short} <= one.keys()), set())
        return {**{key: config[key] for key in sorted(both) if key in config}, **given}

    def _replaced(self, layer: Layer) -> tuple[Layer, tuple[Finding, ...]]:
        """The layer with the match in it replaced, by the edit for single layers: both obey the same rules.

        With it comes what that edit has to tell.
        """
        if set(self.with_) == {"activation"} and (had := as_activation(layer)) is not None:
            if had == activation_name(self.with_["activation"]):
                return layer, ()
            return _activation(layer, self.with_["activation"]), ()
        config: Config = dict(self._inside(layer.config))
        if not self._fits(layer.class_name, layer.config):
            return _single(layer, config)
        fields = self._fields(layer.class_name, layer.config)
        new = self.with_.get("class_name", layer.class_name)
        if new == layer.class_name:
            same = all(layer.config.get(key) == fields[key] for key in fields)
            return (layer, ()) if same else _single(layer, fields)
        module = {"module": self.with_["module"]} if "module" in self.with_ else {}
        made, told = _single(layer, {"class_name": new, "config": fields, **module})
        if "trainable" not in (table.fields(new) or {"trainable"}):  # Keras's takes no such argument
            made = replace(made, config={key: value for key, value in made.config.items() if key != "trainable"})
        if instance_kind(layer.class_name, layer.config):
            names = {"offset": "beta", "scale": "gamma"}
            weights = tuple(replace(one, name=names.get(one.name, one.name)) for one in made.weights)
            made = replace(made, weights=weights)
        return made, told

    def _lossy(self, old: Layer, new: Layer) -> str:
        """Why a replacement computes something else; nothing where it does not."""
        if called_to_train(old):
            return "it is called with training=True, so settings that only matter in training matter here"
        was = as_activation(old)
        if was is not None and new.class_name == "Activation":
            return "" if was == activation_name(new.config.get("activation")) else "a different activation"
        pairs = [(old.class_name, old.config, new.class_name, new.config), *_pairs(old.config, new.config)]
        return next((why for pair in pairs if (why := _differs(*pair))), "")


def _passes(class_name: str, config: Config) -> bool:
    short = class_name.rpartition(">")[2]
    return short in _WITHOUT_CODE or table.idle(short, config)


def _differs(was: str, before: Config, now: str, after: Config) -> str:
    """Why one layer's replacement computes something else, or nothing."""
    if was == now:
        changed = [key for key in after if before.get(key) != after[key] and key not in table.CARRIERS]
        changed = [key for key in changed if not _same(key, before.get(key), after[key]) and not trains_alone(key)]
        return f"a different {' and '.join(changed)}" if changed else ""
    if _passes(was, before) and _passes(now, after):
        return ""
    kind = instance_kind(was, before)
    if kind and now == "GroupNormalization":
        expected = as_groups(before)
        if any(after.get(key, _GROUP_DEFAULTS.get(key)) != value for key, value in expected.items()):
            return f"the settings differ from those of {was}"
        if kind == "contrib":
            return (
                f"{was} divides by standard deviation + epsilon, GroupNormalization by the square root of (variance "
                "+ epsilon)"
            )
        return ""
    return f"{now} computes something different from {was}"


_GROUP_DEFAULTS: Config = {"groups": 32, "axis": -1, "epsilon": 1e-3, "center": True, "scale": True}


def _pairs(before: Config, after: Config) -> list[tuple[str, Config, str, Config]]:
    """Class and config of what wrappers carry, before and after."""
    found = []
    for carrier in table.CARRIERS:
        old, new = before.get(carrier), after.get(carrier)
        if isinstance(old, dict) and isinstance(new, dict) and old != new:
            found.append(
                (str(old.get("class_name")), old.get("config") or {}, str(new.get("class_name")), new["config"])
            )
            found += _pairs(old.get("config") or {}, new["config"])
    return found


def _same(key: str, had: Any, wanted: Any) -> bool:
    if key in ACTIVATION_FIELDS:
        name = activation_name(wanted)
        return name is not None and activation_name(had) == name
    if isinstance(had, (list, tuple)) and isinstance(wanted, (list, tuple)):
        return list(had) == list(wanted)
    if isinstance(had, dict) and isinstance(wanted, str):
        return str(had.get("class_name")) == wanted
    return bool(had == wanted) and isinstance(had, bool) == isinstance(wanted, bool)


def _single(layer: Layer, config: Config) -> tuple[Layer, tuple[Finding, ...]]:
    """What the edit for single layers makes of a layer alone, and what it has to tell."""
    edit = ReplaceLayer(layer=layer.name, config=config)
    made = edit.made_of(layer, Graph("", layers=(layer,)), {})
    return made.layer, edit.told(layer, made.layer, made)


def _activation(layer: Layer, activation: Any) -> Layer:
    """An Activation layer in the place of a layer or operation that is one."""
    if not isinstance(activation, str):
        raise EditError(f"{layer.name} is replaced by an activation; give the activation by its name.")
    kept = {"dtype": layer.config["dtype"]} if "dtype" in layer.config and not layer.is_operation else {}
    calls = tuple(replace(call, outputs=None) for call in layer.calls)
    return Layer(
        name=layer.name,
        class_name="Activation",
        config={"name": layer.name, "activation": activation, **kept},
        calls=calls,
        origin=layer.origin,
        trainable=layer.trainable,
    )


def _changed(before: Graph, after: Graph) -> list[Change]:
    """Layers that are not what they were, with what they were."""
    now = after.by_path()
    return [
        (path, layer, now[path])
        for path, layer in before.walk()
        if path in now
        and not layer.is_model
        and (layer.class_name != now[path].class_name or layer.config != now[path].config)
    ]


def _text(fields: Config) -> str:
    """A match or replacement in words: `Dropout with rate 0.5`, `activation swish`."""
    name = fields.get("class_name", "")
    flat = {**{key: value for key, value in fields.items() if key != "config"}, **(fields.get("config") or {})}
    rest = ", ".join(
        f"{key} {value if isinstance(value, str) else json.dumps(value, default=str)}"
        for key, value in flat.items()
        if key != "class_name"
    )
    return f"{name} with {rest}" if name and rest else name or rest
