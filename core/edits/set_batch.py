"""Another batch size for a model that was built for a fixed one, or any.

The size stands in the InputLayers of every level, in the shapes that layers remember being built with (Keras builds
states of recurrent layers from them), and in operations that name it, such as a reshape to `(32, -1)`.
"""

from typing import Any, ClassVar, cast

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.layers.table import CARRIERS
from core.model.graph import Call, Graph, Layer
from core.surgery import contracts
from core.surgery.recording import configured

_SHAPES = ("newshape", "shape", "target_shape")
"""Where operations keep the whole shape of what they give, the batch first."""
_DEFAULT = 2
"""Samples that a contract compares where any number will do."""
Size = int | None


class SetBatch(Edit, frozen=True, kw_only=True, tag="set_batch"):
    """`batch` is the size, `null` any; `input` names one of several inputs (`None`: all of them). Weights stay."""

    about: ClassVar[str] = "input"
    batch: Size = None
    input: str | None = None

    def check(self) -> None:
        """From 1, or null."""
        if self.batch is not None and self.batch < 1:
            raise EditError(f"batch must be at least 1, or null for any, not {self.batch}.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the size wherever the old one stood; each sample gives what it gave."""
        self.check()
        if graph.opaque:
            raise EditError(f"The inputs of {graph.class_name} are unknown, so their batch size cannot be set.")
        names = [layer.name for layer in graph.input_layers()]
        if self.input is not None and self.input not in names:
            raise EditError(
                f"There is no input {self.input!r}; the model's inputs are {', '.join(names) or 'unknown'}."
            )
        wanted = set(names) if self.input is None else {self.input}
        for layer in graph.input_layers():
            if layer.name in wanted and not layer.config.get("batch_shape"):
                raise EditError(f"The shape of the input {layer.name!r} is unknown, so its batch size cannot be set.")
        stateful = [path for path, layer in graph.walk() if _stateful(layer.config)]
        if stateful and self.batch is None:
            which = f"{stateful[0]} is" if len(stateful) == 1 else f"{len(stateful)} layers (first: {stateful[0]}) are"
            raise EditError(
                f"{which} stateful: a state is kept for each sample from one batch to the next, which needs a fixed "
                "batch size. Give a number, or set stateful to false first (replace_layer)."
            )
        olds = self._olds(graph)
        after = context.shaped(self._level(graph, olds, wanted))
        sizes = [layer.config["batch_shape"][0] or _DEFAULT for layer in self._mine(graph)]
        rows = min([*sizes, self.batch or _DEFAULT])
        same = contracts.Batch(name="each sample of new(x) == the same sample of old(x)", rows=rows)
        return Outcome(after, (same,), _told(graph, after, olds))

    def summary(self) -> str:
        """For the recipe list."""
        which = f" of {self.input}" if self.input else ""
        return f"Batch size{which}: {'any' if self.batch is None else self.batch}"

    def _mine(self, graph: Graph) -> list[Layer]:
        return [one for one in graph.input_layers() if self.input in (None, one.name)]

    def _olds(self, graph: Graph) -> set[int]:
        """The fixed sizes that give way."""
        sizes = {layer.config["batch_shape"][0] for layer in self._mine(graph) if layer.config.get("batch_shape")}
        return {size for size in sizes if size is not None and size != self.batch}

    def _level(self, graph: Graph, olds: set[int], wanted: set[str] | None = None) -> Graph:
        """A level; `wanted` are the inputs meant, `None` inside nested models: those that had the size."""
        layers = tuple(self._layer(layer, olds, wanted) for layer in graph.layers)
        built = graph.config.get("build_input_shape")
        config = graph.config
        if built is not None:
            changed = self._resized(built, olds) if olds else built
            first = next((one for one in layers if one.is_input), None)
            changed = first.config.get("batch_shape") if graph.is_sequential and first is not None else changed
            config = {**config, "build_input_shape": changed}
        return replace(graph, layers=layers, config=config)

    def _layer(self, layer: Layer, olds: set[int], wanted: set[str] | None) -> Layer:
        if layer.is_input:
            shape = layer.config.get("batch_shape")
            if not shape or not (shape[0] in olds if wanted is None else layer.name in wanted):
                return layer
            return _unasked(configured(layer, batch_shape=[self.batch, *shape[1:]]))
        if layer.inner is not None:
            layer = replace(layer, inner=self._level(layer.inner, olds))
        config = self._operation(layer, olds) if layer.is_operation else self._built(layer.config, olds)
        build = self._resized(layer.build_config, olds) if layer.build_config else layer.build_config
        return _unasked(replace(layer, config=config, build_config=build))

    def _built(self, config: dict[str, Any], olds: set[int]) -> dict[str, Any]:
        """A layer's config with the shapes that layers inside it were built with."""
        changed = {}
        for carrier in CARRIERS:
            inside = config.get(carrier)
            if isinstance(inside, dict) and isinstance(inside.get("config"), dict):
                fields = {"config": self._built(inside["config"], olds)}
                if inside.get("build_config"):
                    fields["build_config"] = self._resized(inside["build_config"], olds)
                changed[carrier] = {**inside, **fields}
        return {**config, **changed} if changed else config

    def _resized(self, value: Any, olds: set[int]) -> Any:
        """Shapes with another first number, in whatever they are nested in."""
        if isinstance(value, dict):
            return {key: self._resized(one, olds) for key, one in value.items()}
        if isinstance(value, (list, tuple)) and value and all(one is None or isinstance(one, int) for one in value):
            return [self.batch, *value[1:]] if value[0] in olds else value
        if isinstance(value, (list, tuple)):
            return [self._resized(one, olds) for one in value]
        return value

    def _operation(self, layer: Layer, olds: set[int]) -> dict[str, Any]:
        """The config of an operation whose result has the old size in front."""
        if not _names_batch(layer, olds):
            return layer.config
        key = next(name for name in _SHAPES if _begins(layer.config.get(name), olds))
        rest = list(layer.config[key][1:])
        if self.batch is not None:
            return {**layer.config, key: [self.batch, *rest]}
        if layer.class_name != "Reshape":
            return layer.config
        gives = layer.calls[0].outputs[0].shape if layer.calls and layer.calls[0].outputs else None
        if -1 in rest and gives is not None:
            rest = [gives[place] if size == -1 else size for place, size in enumerate(rest, 1)]
        return layer.config if -1 in rest or None in rest else {**layer.config, key: [-1, *rest]}


def _told(before: Graph, after: Graph, olds: set[int]) -> tuple[Finding, ...]:
    """Operations that were put right, and those that could not be."""
    was = before.by_path()
    found = []
    for path, layer in after.walk():
        old = was.get(path)
        if old is None or layer.is_input:
            continue
        if layer.is_operation and layer.config != old.config:
            one, other = (_shape(item) for item in (layer, old))
            text = (
                f"The target shape of {path} is now {one} instead of {other}, because its first number was the "
                "batch size."
            )
            found.append(Finding("info", "baked.constant", path, text))
        elif layer.is_operation and (_names_batch(layer, olds) or _holds_batch(layer, olds)):
            text = (
                f"{path} ({layer.class_name}) contains sizes for a batch of {next(iter(olds))}, and it is unclear "
                "what they should be for another batch size; the model may not run."
            )
            found.append(Finding("warning", "baked.constant", path, text))
    return tuple(found)


def _begins(value: Any, olds: set[int]) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and value[0] in olds


def _names_batch(layer: Layer, olds: set[int]) -> bool:
    """Whether an operation is told to give a shape that begins with the old size."""
    return any(_begins(layer.config.get(name), olds) for name in _SHAPES) and all(
        call.outputs is None or _begins(call.outputs[0].shape, olds | {-1}) or call.outputs[0].shape is None
        for call in layer.calls
        if call.outputs is None or call.outputs
    )


def _shape(layer: Layer) -> Any:
    return next(
        (tuple(layer.config[name]) for name in _SHAPES if isinstance(layer.config.get(name), (list, tuple))), ()
    )


def _holds_batch(layer: Layer, olds: set[int]) -> bool:
    """Whether a constant tensor in a call has a row for each sample of the old size."""
    return any(_constant(value, olds) for call in layer.calls for value in (*call.args, *call.kwargs.values()))


def _constant(value: Any, olds: set[int]) -> bool:
    if isinstance(value, dict) and value.get("class_name") == "__tensor__":
        rows = cast("dict[str, Any]", value.get("config") or {}).get("value")
        return isinstance(rows, list) and len(rows) in olds and bool(rows) and isinstance(rows[0], list)
    if isinstance(value, (list, tuple)):
        return any(_constant(one, olds) for one in value)
    return False


def _stateful(config: dict[str, Any]) -> bool:
    """Whether a layer, or one that it carries, keeps its states from one batch to the next."""
    inside = (config.get(carrier) for carrier in CARRIERS)
    return config.get("stateful") is True or any(
        _stateful(one["config"]) for one in inside if isinstance(one, dict) and isinstance(one.get("config"), dict)
    )


def _unasked(layer: Layer) -> Layer:
    """The layer with the shapes of what it gives to be found out again."""

    def one(call: Call) -> Call:
        return replace(call, outputs=None)

    return replace(layer, calls=tuple(one(call) for call in layer.calls))
