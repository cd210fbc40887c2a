"""Another number of classes for every head of a detector or a model of several tasks; old ones are kept."""

from typing import NamedTuple

from core.edits.attach_head import source_class
from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.layers.axes import axes_of
from core.layers.table import classes
from core.model.graph import Graph, Layer, TensorRef
from core.rules import SliceFilters
from core.surgery import contracts
from core.surgery.anatomy import CONVOLUTIONS
from core.surgery.recording import configured, record

_MOST = 2**20
_HANDS_ON = (
    classes(acts=("moving", "joining"))
    | classes(idle=True)
    | {"Activation", "Softmax", "TimeDistributed", "Concat", "Sigmoid", "Transpose"}
)


class Place(NamedTuple):
    """A layer that makes class scores: its path, the calls that lead to it, the last sizes of Reshapes behind it."""

    path: str
    calls: tuple[int, ...]
    layer: Layer
    shown: tuple[int, ...]
    reshapes: tuple[str, ...]


class Split(NamedTuple):
    """How the values of a head lie: `anchors` times (`before` other values, then the classes)."""

    anchors: int
    before: int


class ChangeClasses(Edit, frozen=True, kw_only=True, tag="change_classes"):
    """`classes` instead of `old_classes` in every head that scores classes, or in those named in `heads`.

    `keep` names the old classes that become the first new ones, by number or by name out of `labels` [as many of the
    old as fit, in order]; further classes start afresh. A head may score several anchors, and may hold `before` other
    values ahead of the classes of each (YOLO's box and objectness: 5); both are read off the model where it shows them.
    """

    classes: int
    old_classes: int | None = None
    keep: tuple[int | str, ...] | None = None
    labels: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    before: int | None = None
    seed: int = 0

    def check(self) -> None:
        """Numbers in range."""
        for name, value in (("classes", self.classes), ("old_classes", self.old_classes)):
            if value is not None and not 1 <= value <= _MOST:
                raise EditError(f"{name} must be between 1 and {_MOST}, not {value}.")
        if self.old_classes is None and not self.labels:
            raise EditError("Give the current number of classes with old_classes, or name the classes with labels.")
        if self.labels and self.old_classes not in (None, len(self.labels)):
            raise EditError(
                f"labels names {len(self.labels)} classes but old_classes is {self.old_classes}; make them agree."
            )
        if self.before is not None and self.before < 0:
            raise EditError(f"before must be 0 or more, not {self.before}.")
        if self.keep is not None and len(self.keep) > self.classes:
            raise EditError(f"keep lists {len(self.keep)} classes, but the model will have only {self.classes}.")

    @property
    def now(self) -> int:
        """How many classes the model has."""
        return self.old_classes if self.old_classes is not None else len(self.labels)

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with every head's classes changed, and the Reshapes behind them.

        The values of kept classes, and all others, are what they were ahead of the head's activation.
        """
        self.check()
        kept, chosen = self._kept(), self._chosen(graph)
        same, told = [], []
        for place, split in chosen:
            groups = place.layer.config.get("groups") or 1
            if groups > 1:
                raise EditError(
                    f"{place.path} has {groups} groups of filters, and another number of filters would move some of "
                    "them to another group; replace the layer by one with the new number of filters instead."
                )
            filters = self._filters(split, kept)
            rows = tuple(row if row is None else source_class(place.layer, row) for row in filters)
            rule = SliceFilters(keep=rows, seed=self.seed)
            count = split.anchors * (split.before + self.classes)
            convolved = place.layer.class_name in CONVOLUTIONS
            layer = configured(place.layer, **{"filters" if convolved else "units": count})
            for weight in layer.weights:
                if axes_of(layer, weight.name, weight.shape).filters is not None:
                    layer = record(layer, weight.name, rule)
            graph = graph.with_layer(place.path, layer)
            for path in place.reshapes:
                graph = graph.with_layer(path, self._reshaped(graph.find(path), place.layer, split))
            pairs = [
                (new, old)
                for new, (old, row) in enumerate(zip(filters, rows, strict=True))
                if old is not None and row is not None
            ]
            if pairs:
                same.append(
                    contracts.Classes(
                        name=f"kept classes give the same outputs ({place.path} before its activation)",
                        layer=place.path,
                        calls=list(place.calls),
                        axis=1 if convolved and place.layer.config.get("data_format") == "channels_first" else -1,
                        new=[new for new, _ in pairs],
                        old=[old for _, old in pairs],
                    )
                )
            ahead = f", each after {split.before} other values" if split.before else ""
            anchors = f" for {split.anchors} anchors" if split.anchors > 1 else ""
            told.append(f"{place.path}: {self.now} to {self.classes} classes{anchors}{ahead}")
        changed = Finding("info", "layers.changed", chosen[0][0].path, f"Heads changed: {'; '.join(told)}.")
        return Outcome(graph, tuple(same), (changed, *self._losses(chosen, kept)))

    def _losses(self, chosen: list[tuple[Place, Split]], kept: tuple[int, ...]) -> list[Finding]:
        """Which new classes start at random values, and how many old ones are dropped."""
        first, found = chosen[0][0].path, []
        fresh = self.classes - len(kept)
        if fresh:
            names = ", ".join(place.path for place, _ in chosen)
            text = f"{fresh} of the {self.classes} classes start at random values in {names}."
            found.append(Finding("info", "weight.unmatched", first, text))
        gone = self.now - len(set(kept))
        if gone:
            text = f"{gone} of the {self.now} old classes are dropped."
            found.append(Finding("info", "weight.unmatched", first, text))
        return found

    def summary(self) -> str:
        """For the recipe list."""
        return f"{self.now} classes become {self.classes} in {', '.join(self.heads) or 'every head'}"

    def _kept(self) -> tuple[int, ...]:
        """The old class of each of the first new ones."""
        if self.keep is None:
            return tuple(range(min(self.now, self.classes)))
        found = []
        for one in self.keep:
            if isinstance(one, str) and one not in self.labels:
                raise EditError(f"keep lists {one!r}, which is not in labels.")
            index = self.labels.index(one) if isinstance(one, str) else one
            if not 0 <= index < self.now:
                raise EditError(f"keep lists class {index}, but the model has classes 0 to {self.now - 1}.")
            found.append(index)
        return tuple(found)

    def _filters(self, split: Split, kept: tuple[int, ...]) -> tuple[int | None, ...]:
        """The old filter of each new one, `None` for a class that is new."""
        rows: list[int | None] = []
        width = split.before + self.now
        for anchor in range(split.anchors):
            rows += [anchor * width + value for value in range(split.before)]
            rows += [anchor * width + split.before + old for old in kept]
            rows += [None] * (self.classes - len(kept))
        return tuple(rows)

    def _chosen(self, graph: Graph) -> list[tuple[Place, Split]]:
        """The heads to change with how their values lie. Raises `EditError`."""
        if graph.opaque:
            raise EditError("The connections between the model's layers are unknown, so its heads cannot be found.")
        places = {place.path: place for place in _places(graph)}
        unknown = next((name for name in self.heads if name not in places), None)
        if unknown is not None:
            raise EditError(
                f"{unknown!r} is not a head of the model; the last layers before its outputs are {', '.join(places)}."
            )
        found = []
        for place in places.values():
            if self.heads and place.path not in self.heads:
                continue
            split = self._split(place)
            if split is not None:
                found.append((place, split))
            elif self.heads:
                raise EditError(
                    f"{place.path} gives {_count(place.layer)} values, which cannot be divided into anchors of "
                    f"{self.before or 0} values and {self.now} classes; check old_classes and before."
                )
        if not found:
            counts = ", ".join(f"{place.path} {_count(place.layer)}" for place in places.values())
            raise EditError(
                f"No head of the model has {self.now} classes; the last layers before its outputs give: {counts}."
            )
        return found

    def _split(self, place: Place) -> Split | None:
        """How the values of a head lie, as far as the model or the recipe shows; `None` where it scores no classes."""
        count = _count(place.layer)
        if self.before is not None:
            width = self.before + self.now
            fits = count % width == 0 and (not place.shown or width in place.shown)
            return Split(count // width, self.before) if fits else None
        for before in (0, 5, 4):
            width = before + self.now
            if width in place.shown and count % width == 0:
                return Split(count // width, before)
        if place.shown:
            return None  # a Reshape shows another width: boxes, not classes
        if count == self.now:
            return Split(1, 0)
        return Split(count // (5 + self.now), 5) if count % (5 + self.now) == 0 else None

    def _reshaped(self, layer: Layer, head: Layer, split: Split) -> Layer:
        """A Reshape behind a head, with its last size as it is now."""
        target = list(layer.config.get("target_shape") or ())
        width, count = split.before + self.now, _count(head)
        if target and target[-1] == width:
            target[-1] = split.before + self.classes
        elif target and target[-1] == count:
            target[-1] = split.anchors * (split.before + self.classes)
        else:
            return layer
        return configured(layer, target_shape=target)


def _count(layer: Layer) -> int:
    """How many values a head gives at each place."""
    return int(layer.config.get("filters") or layer.config.get("units") or 0)


def _places(graph: Graph) -> list[Place]:
    """Every convolution or Dense that an output comes from with nothing but moving and joining values between."""
    found: dict[str, Place] = {}
    seen: set[tuple[str, TensorRef]] = set()

    def back(level: Graph, prefix: str, ref: TensorRef, calls: tuple[int, ...], behind: tuple[str, ...]) -> None:
        if (prefix, ref) in seen and (prefix + ref.layer) in found:
            return
        seen.add((prefix, ref))
        layer = level.layer(ref.layer)
        path = prefix + layer.name
        if layer.class_name in CONVOLUTIONS or layer.class_name == "Dense":
            sizes = [(graph.find(one).config.get("target_shape") or [None])[-1] for one in behind]
            shown = tuple(size for size in sizes if isinstance(size, int) and size > 0)
            old = found.get(path)
            reshapes = tuple(dict.fromkeys((*(old.reshapes if old else ()), *behind)))
            found[path] = Place(path, (*calls, ref.call), layer, shown or (old.shown if old else ()), reshapes)
            return
        if layer.is_model and layer.inner is not None:
            inside = layer.inner.output_refs()[ref.output]
            back(layer.inner, f"{path}/", inside, (*calls, ref.call), behind)
            return
        if layer.class_name not in _HANDS_ON or layer.is_input or ref.call >= len(layer.calls):
            return
        further = (*behind, path) if layer.class_name == "Reshape" else behind
        for given in layer.calls[ref.call].inputs():
            back(level, prefix, given, calls, further)

    for output in graph.output_refs():
        back(graph, "", output, (), ())
    return list(found.values())
