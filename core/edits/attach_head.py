"""A new head for a new task: hidden Dense layers, Dropout, a Dense per class. Or an old one with some classes kept."""

from typing import Any, ClassVar

from core.edits.base import Context, Edit, Outcome
from core.edits.remove_head import RemoveHead, appended, channels_first
from core.errors import EditError
from core.findings import Finding, Fix
from core.layers.axes import axes_of
from core.model.graph import Graph, Layer, Shape, TensorRef
from core.model.levels import free_name
from core.model.splice import new_layer
from core.phrases import sample_words
from core.rules import SliceFilters
from core.surgery import contracts
from core.surgery.anatomy import CONVOLUTIONS
from core.surgery.heads import classifier, find_classifier, which_output
from core.surgery.recording import configured, record

_MOST = 2**24
Part = tuple[str, str, dict[str, Any]]
_ACTIVATIONS = ("softmax", "sigmoid", "linear")


class AttachHead(Edit, frozen=True, kw_only=True, tag="attach_head"):
    """`classes` outputs behind `hidden` Dense layers (ReLU), each followed by Dropout; maps are averaged first.

    With `keep` the old classifier stays and hands its classes over: numbers, or names out of `labels` (the old
    classes in order) become the first classes in that order, the rest start afresh; `hidden` must then be empty.
    With `dense` the head answers for each place of a map: convolutions of one by one instead of Dense layers, and no
    pooling. `output` says behind which output, by name or by number, where the model has several.
    """

    about: ClassVar[str] = "output"
    classes: int
    hidden: tuple[int, ...] = (128,)
    dropout: float = 0.5
    activation: str = "softmax"
    keep: tuple[int | str, ...] | None = None
    labels: tuple[str, ...] = ()
    seed: int = 0
    dense: bool = False
    output: str | int | None = None

    def check(self) -> None:
        """Numbers in range."""
        if self.classes < 1:
            raise EditError(f"classes must be at least 1, not {self.classes}.")
        if max((self.classes, *self.hidden)) > _MOST:
            raise EditError(f"classes and hidden must be at most {_MOST}.")
        if any(size < 1 for size in self.hidden):
            raise EditError(f"hidden must contain sizes of at least 1, not {list(self.hidden)}.")
        if not 0.0 <= self.dropout < 1.0:
            raise EditError(f"dropout must be at least 0 and less than 1, not {self.dropout}.")
        if self.activation not in _ACTIVATIONS:
            raise EditError(f"activation must be one of {', '.join(_ACTIVATIONS)}, not {self.activation!r}.")
        if self.keep is not None and len(self.keep) > self.classes:
            raise EditError(f"keep lists {len(self.keep)} classes, but the new head has only {self.classes}.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the new head, or with its classifier changed.

        A new head is given what the model gave; kept classes answer as before, ahead of their activation.
        """
        self.check()
        return self._kept(graph) if self.keep is not None else self._fresh(graph)

    def summary(self) -> str:
        """For the recipe list."""
        if self.keep is not None:
            return f"{self.classes} classes, {len(self.keep)} of them kept"
        hidden = " + ".join(str(size) for size in self.hidden)
        where = "" if self.output is None else f" at output {self.output}"
        places = " at each position" if self.dense else ""
        return f"New head{where}: {hidden + ', ' if hidden else ''}{self.classes} classes{places}, {self.activation}"

    def _fresh(self, before: Graph) -> Outcome:
        place = which_output(before, self.output)
        given = ref = before.output_refs()[place]
        shape = before.spec(ref).shape
        if shape is None:
            raise EditError("The shape of the model's output is unknown, so no head can be attached.")
        graph = before
        for class_name, wanted, config in self._dense_parts(graph, shape) if self.dense else self._parts(graph, shape):
            name = free_name({layer.name for layer in graph.layers}, wanted)
            graph = appended(graph, graph.layer(ref.layer), ref, new_layer(class_name, name, **config), place)
            ref = TensorRef(name)
        pair = ([given.layer, [given.call], given.output], place)
        same = contracts.features(f"{given.layer} of new(x) == old(x)", [pair])
        return Outcome(graph, (same,), self._on_probabilities(before))

    def _on_probabilities(self, before: Graph) -> tuple[Finding, ...]:
        """A head on top of another."""
        try:
            path, layer = classifier(before, self.output)
        except EditError:
            return ()
        if layer.config.get("activation") not in ("softmax", "sigmoid"):
            return ()
        text = (
            f"The new head would receive the probabilities of the old head ({path}); remove the old head before this "
            "step."
        )
        pooling: Any = "none" if self.dense else "avg"
        fix = Fix("Remove the old head first", (RemoveHead(output=self.output, pooling=pooling), self))
        return (Finding("warning", "adapt.lossy", path, text, (fix,)),)

    def _parts(self, graph: Graph, shape: Shape) -> list[Part]:
        """The layers of a head that answers once: class, name, config."""
        parts: list[Part] = []
        if len(shape) > 2:
            data: dict[str, Any] = {"data_format": "channels_first"} if channels_first(graph) else {}
            parts.append((f"GlobalAveragePooling{len(shape) - 2}D", "head_pool", data))
        for name, size in self._hidden():
            parts.append(("Dense", name, {"units": size, "activation": "relu"}))
            if self.dropout:
                parts.append(("Dropout", name.replace("hidden", "dropout"), {"rate": self.dropout}))
        if not self.hidden and self.dropout:
            parts.append(("Dropout", "head_dropout", {"rate": self.dropout}))
        # Probabilities stay in float32 under mixed precision, as Keras's guide asks for.
        last = {"units": self.classes, "activation": self.activation, "dtype": "float32"}
        return [*parts, ("Dense", "predictions", last)]

    def _dense_parts(self, graph: Graph, shape: Shape) -> list[Part]:
        """The layers of a head that answers for each place: class, name, config."""
        rank = len(shape) - 2
        if not 1 <= rank <= 3:
            raise EditError(
                "dense attaches a head to a feature map, but the output has the shape "
                f"{sample_words(shape)}; remove the "
                "old head first (remove_head with pooling none), or leave dense out."
            )
        first = channels_first(graph)
        data: dict[str, Any] = {"kernel_size": 1, **({"data_format": "channels_first"} if first else {})}
        parts: list[Part] = []
        for name, size in self._hidden():
            parts.append((f"Conv{rank}D", name, {**data, "filters": size, "activation": "relu"}))
            if self.dropout:
                parts.append(("Dropout", name.replace("hidden", "dropout"), {"rate": self.dropout}))
        if not self.hidden and self.dropout:
            parts.append(("Dropout", "head_dropout", {"rate": self.dropout}))
        turned = first and self.activation == "softmax"
        last = {"filters": self.classes, "activation": "linear" if turned else self.activation, "dtype": "float32"}
        parts.append((f"Conv{rank}D", "predictions", {**data, **last}))
        if turned:  # Keras's softmax activation adds up over the last axis
            parts.append(("Softmax", "probabilities", {"axis": 1, "dtype": "float32"}))
        return parts

    def _hidden(self) -> list[tuple[str, int]]:
        """Names and sizes of the hidden layers."""
        many = len(self.hidden) > 1
        return [(f"head_hidden_{at}" if many else "head_hidden", size) for at, size in enumerate(self.hidden, 1)]

    def _indices(self, count: int) -> list[int]:
        """The old classes to keep, of `count`, by number."""
        if self.labels and len(self.labels) != count:
            raise EditError(f"labels names {len(self.labels)} classes; the old classifier has {count}.")
        found = []
        for one in self.keep or ():
            if isinstance(one, str) and one not in self.labels:
                raise EditError(f"keep lists {one!r}, which is not in labels.")
            index = self.labels.index(one) if isinstance(one, str) else one
            if not 0 <= index < count:
                raise EditError(f"keep lists class {index}, but the old classifier has classes 0 to {count - 1}.")
            found.append(index)
        return found

    def _kept(self, before: Graph) -> Outcome:
        if self.hidden not in ((), (128,)):
            raise EditError("keep copies the old classifier's weights, so hidden must be empty.")
        path, calls, old = find_classifier(before, self.output)
        count = int(old.config.get("units") or old.config.get("filters") or 0)
        kept = self._indices(count)
        sources = tuple(source_class(old, index) for index in kept)
        convolved = old.class_name in CONVOLUTIONS
        fields: dict[str, Any] = {"filters" if convolved else "units": self.classes}
        if old.config.get("activation") in _ACTIVATIONS[:2]:
            fields["activation"] = self.activation
        layer = configured(old, **fields)
        rule = SliceFilters(keep=sources, seed=self.seed)
        for weight in layer.weights:
            if axes_of(layer, weight.name, weight.shape).filters is not None:
                layer = record(layer, weight.name, rule)
        after = self._after(before.with_layer(path, layer), path, count)
        known = [(new, index) for new, (index, row) in enumerate(zip(kept, sources, strict=True)) if row is not None]
        found: tuple[Finding, ...] = ()
        if len(known) < len(kept):
            text = f"Some of the classes to keep from {path} are new themselves, so they start at initial values again."
            found = (Finding("warning", "adapt.lossy", path, text),)
        if not known:
            return Outcome(after, (), found)  # classes that no training has seen yet
        same = contracts.Classes(
            name=f"kept classes give the same outputs ({path} before its activation)",
            exact=not _overruled(old),
            layer=path,
            calls=calls,
            axis=1 if convolved and old.config.get("data_format") == "channels_first" else -1,
            new=[new for new, _ in known],
            old=[index for _, index in known],
        )
        return Outcome(after, (same,), found)

    def _after(self, graph: Graph, path: str, old: int) -> Graph:
        """Activation and Reshape layers behind the classifier follow."""
        prefix = path.rpartition("/")[0]
        level = graph.find(prefix).inner if prefix else graph
        if level is None:
            return graph
        for layer in level.layers:
            target = layer.config.get("target_shape")
            if layer.class_name == "Reshape" and list(target or ())[-1:] == [old]:
                moved = configured(layer, target_shape=[*list(target or ())[:-1], self.classes])
                graph = graph.with_layer(f"{prefix}/{layer.name}" if prefix else layer.name, moved)
            elif layer.class_name == "Activation" and layer.config.get("activation") in ("softmax", "sigmoid"):
                if TensorRef(layer.name) not in level.output_refs():
                    continue
                moved = configured(layer, activation=self.activation)
                graph = graph.with_layer(f"{prefix}/{layer.name}" if prefix else layer.name, moved)
        return graph


def source_class(layer: Layer, index: int) -> int | None:
    """The source's number of a class, seen through an earlier choice; `None` for a class that is new."""
    if not any(weight.source is not None for weight in layer.weights):
        return None
    earlier = _slice(layer)
    if earlier is None or earlier.keep is None:
        return index
    return earlier.keep[index] if index < len(earlier.keep) else None


def _slice(layer: Layer) -> SliceFilters | None:
    found = [rule for _, rules in layer.rules for rule in rules if isinstance(rule, SliceFilters)]
    return found[0] if found else None


def _overruled(layer: Layer) -> bool:
    """Whether the classifier's arrays are made in another way, which keeping classes puts aside."""
    rules = [rule for _, chain in layer.rules for rule in chain]
    return any(rule.owns in ("filters", "all") and not isinstance(rule, SliceFilters) for rule in rules)
