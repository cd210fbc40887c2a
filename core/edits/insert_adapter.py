"""Adapt what arrives and leave the model as it is: resize, pad, crop, letterbox, project or repeat in front of it."""

from math import ceil
from typing import Any, Literal

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding
from core.model.contract import Contract
from core.model.graph import Call, Graph, Layer, Shape, TensorRef, map_leaves
from core.model.levels import free_name
from core.model.splice import as_functional, insert_after, new_layer
from core.phrases import shape_words
from core.rules import Initialize
from core.surgery import contracts
from core.surgery.anatomy import channel_axis, find_input
from core.surgery.contracts import batch_shape
from core.surgery.recording import configured

Fit = Literal["resize", "pad", "crop", "letterbox", "project", "repeat"]
_CHANNELS = ("project", "repeat")


def possible_fits(graph: Graph, name: str | None) -> tuple[Fit, ...]:
    """The ways in which something can be adapted to an input at all; none for tokens, and for what has no channels."""
    layer = find_input(graph, name)
    shape, axis = batch_shape(layer), channel_axis(graph, layer.name)
    if shape is None or axis is None or not 3 <= len(shape) <= 5:
        return ()
    rank, channels = len(shape) - 2, shape[axis]
    known = all(size is not None for place, size in enumerate(shape) if place not in (0, axis))
    found: list[Fit] = ["resize", "letterbox"] if rank == 2 and known else []
    found.append("pad")
    if known and not (rank == 1 and axis == 1):  # Keras crops sequences only with the channels last
        found.append("crop")
    if channels is not None:
        found += ["project", "repeat"] if channels > 1 else ["project"]
    return tuple(found)


class InsertAdapter(Edit, frozen=True, kw_only=True, tag="insert_adapter"):
    """`shape` (without batch) is what will arrive at `input`; the model behind keeps its size, channels and weights.

    `resize`, `letterbox` (keeps the aspect ratio, fills with zeros), `pad` and `crop` change sizes; `project` (a
    trainable 1x1 convolution) and `repeat` (gray to every channel) change channels. With `multiple` the model is not
    kept at its size: what arrives is padded to the next multiple (a U-Net's 32), and `crop_back` cuts outputs of the
    padded size back to what arrived.
    """

    shape: tuple[int | None, ...]
    fit: Fit
    input: str | None = None
    interpolation: Literal["bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5"] = "bilinear"
    multiple: int | None = None
    crop_back: bool = True

    def check(self) -> None:
        """Sizes from 1; `multiple` goes with `pad`."""
        for size in self.shape:
            if size is not None and size < 1:
                raise EditError(f"shape contains {size}; every size must be at least 1, or null for any.")
        if self.multiple is not None and (self.multiple < 1 or self.fit != "pad"):
            raise EditError("multiple must be at least 1, and works only with fit pad.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The input at its new shape, the adapter behind it, the old consumers behind that, which answer as they did
        to what the adapter hands them.
        """
        self.check()
        before = graph
        layer = find_input(graph, self.input)
        old = batch_shape(layer)
        if old is None or len(old) != len(self.shape) + 1:
            count = "an unknown number of" if old is None else str(len(old) - 1)
            raise EditError(f"The input {layer.name!r} has {count} dimensions, but shape has {len(self.shape)}.")
        axis = channel_axis(graph, layer.name)
        if axis is None or len(old) < 3:
            raise EditError(f"The input {layer.name!r} is not an image or sequence with channels.")
        first = axis == 1
        wanted, arriving = self._split(old[1:], first), self._split(self.shape, first)
        if self.multiple is not None:
            wanted = (self._padded(arriving[0]), wanted[1])
        self._must_match(wanted, arriving)
        if self.fit == "repeat":
            graph = as_functional(graph)
        fresh = self._layers(graph, layer, wanted, arriving, first)
        resized = configured(layer, batch_shape=[old[0], *self.shape])
        graph = graph.with_layer(layer.name, replace(resized, calls=(Call(),)))
        graph = insert_after(graph, layer.name, fresh)
        if self.fit == "repeat":
            graph = _concatenating(graph, fresh[0].name, TensorRef(layer.name), wanted[1])
        if self.multiple is not None and self.crop_back:
            graph = self._cropped(before, graph, arriving[0], wanted[0], first)
        same: Contract = contracts.Adapted(
            name=f"new(x) == old({self.fit}(x))", input=layer.name, layer=fresh[-1].name, shape=self.shape
        )
        if self.multiple is not None:
            same = self._padded_contract(before, layer)
        return Outcome(graph, (same,), self._told(layer.name))

    def _told(self, name: str) -> tuple[Finding, ...]:
        """What an adapter loses."""
        texts = {
            "resize": "resizing changes the aspect ratio of images if the two shapes differ in it",
            "crop": "cropping discards the borders of the input",
        }
        if self.fit not in texts:
            return ()
        return (Finding("info", "adapt.lossy", name, f"{texts[self.fit][0].upper()}{texts[self.fit][1:]}."),)

    def summary(self) -> str:
        """For the recipe list."""
        multiple = f" to a multiple of {self.multiple}" if self.multiple else ""
        return f"Accept {shape_words(self.shape)} and {self.fit}{multiple} for the model"

    def _padded_contract(self, before: Graph, layer: Layer) -> Contract:
        """The model at the padded size answers alike, seen through the crop."""
        first = channel_axis(before, layer.name) == 1
        arriving, _ = self._split(self.shape, first)
        padded = self._padded(arriving)
        gaps = _gaps(arriving, padded)
        around = [[0, 0], *gaps] if first else [*gaps, [0, 0]]
        old = tuple(size if size is None else size + sum(gap) for size, gap in zip(self.shape, around, strict=True))
        outputs = list(before.output_refs())
        back = [place for place, ref in enumerate(outputs) if self.crop_back and self._goes_back(before, ref)]
        text = "new(x) == old(pad(x)), cropped back" if back else "new(x) == old(pad(x))"
        return contracts.Padded(name=text, input=layer.name, shape=self.shape, old=old, gaps=around, crop=back)

    def _split(self, shape: Shape, first: bool) -> tuple[Shape, int | None]:
        return (shape[1:], shape[0]) if first else (shape[:-1], shape[-1])

    def _padded(self, sizes: Shape) -> Shape:
        assert self.multiple is not None
        if any(size is None for size in sizes):
            raise EditError("Padding to a multiple needs fixed sizes; give numbers in shape.")
        return tuple(ceil(int(size or 0) / self.multiple) * self.multiple for size in sizes)

    def _must_match(self, wanted: tuple[Shape, int | None], arriving: tuple[Shape, int | None]) -> None:
        sizes, channels = self.fit not in _CHANNELS, self.fit in _CHANNELS
        if sizes and wanted[1] != arriving[1]:
            raise EditError(
                f"{self.fit} changes sizes, not channels: the model takes {wanted[1]}, shape gives {arriving[1]}; "
                "add a second adapter with project or repeat."
            )
        if channels and wanted[0] != arriving[0]:
            raise EditError(
                f"{self.fit} changes channels, not sizes: the model takes {shape_words(wanted[0])}, shape gives "
                f"{shape_words(arriving[0])}; add a second adapter with resize, pad or crop."
            )
        if sizes and any(size is None for size in wanted[0]):
            raise EditError("The model takes any size already; there is nothing to adapt to.")

    def _layers(
        self,
        graph: Graph,
        layer: Layer,
        wanted: tuple[Shape, int | None],
        arriving: tuple[Shape, int | None],
        first: bool,
    ) -> list[Layer]:
        taken = {one.name for one in graph.layers}
        name = free_name(taken, f"{layer.name}_{self.fit}")
        rank = len(wanted[0])
        data: dict[str, Any] = {"data_format": "channels_first"} if first else {}
        sizes = [int(size or 0) for size in wanted[0]]
        if self.fit in ("resize", "letterbox"):
            if self.fit not in possible_fits(graph, layer.name):
                raise EditError(f"{self.fit} works only on images, but this input has {rank} spatial axes.")
            ratio = {"pad_to_aspect_ratio": True, "fill_mode": "constant", "fill_value": 0.0}
            extra = ratio if self.fit == "letterbox" else {}
            return [
                new_layer(
                    "Resizing", name, height=sizes[0], width=sizes[1], interpolation=self.interpolation, **extra, **data
                )
            ]
        if self.fit in ("pad", "crop"):
            return [self._border(name, sizes, arriving[0], rank, data)]
        old, new = wanted[1], arriving[1]
        if old is None or new is None:
            raise EditError(f"{self.fit} needs a known number of channels.")
        if self.fit == "repeat":
            if new != 1:
                raise EditError(f"repeat turns one channel into {old}, but shape has {new}; use project.")
            if old == 1:
                raise EditError("The model takes one channel already; there is nothing to repeat.")
            return [new_layer("Concatenate", name, axis=1 if first else -1)]
        start = Initialize(initializer="constant", value=1.0) if new == 1 else Initialize(initializer="identity")
        project = new_layer(f"Conv{rank}D", name, filters=old, kernel_size=[1] * rank, use_bias=False, **data)
        return [project.with_rules("kernel", (start,))]

    def _border(self, name: str, sizes: list[int], arriving: Shape, rank: int, data: dict[str, Any]) -> Layer:
        if any(size is None for size in arriving):
            raise EditError(f"{self.fit} needs fixed sizes; give numbers in shape, or use resize.")
        gaps = []
        for size, here in zip(sizes, arriving, strict=True):
            gap = size - int(here or 0) if self.fit == "pad" else int(here or 0) - size
            if gap < 0:
                other = "crop" if self.fit == "pad" else "pad"
                raise EditError(f"{self.fit} cannot turn size {here} into {size}; use {other} or resize.")
            gaps.append([gap // 2, gap - gap // 2])
        kind = "ZeroPadding" if self.fit == "pad" else "Cropping"
        if kind == "Cropping" and rank == 1 and data:
            raise EditError("Keras crops sequences only with the channels last; use project or another size.")
        field = {"padding" if self.fit == "pad" else "cropping": gaps if rank > 1 else gaps[0]}
        return new_layer(f"{kind}{rank}D", name, **field, **data)

    def _cropped(self, before: Graph, graph: Graph, arriving: Shape, padded: Shape, first: bool) -> Graph:
        """Outputs that are maps of the old size get a crop that undoes the padding."""
        rank = len(padded)
        layer = find_input(graph, self.input)
        gaps = _gaps(arriving, padded)
        if rank == 1 and first:
            raise EditError("Keras crops sequences only with the channels last; set crop_back to false.")
        for ref in dict.fromkeys(graph.output_refs()):
            if not self._goes_back(before, ref):
                continue
            data: dict[str, Any] = {"data_format": "channels_first"} if first else {}
            name = free_name({one.name for one in graph.layers}, f"{layer.name}_crop_back")
            crop = new_layer(f"Cropping{rank}D", name, cropping=gaps if rank > 1 else gaps[0], **data)
            graph = insert_after(graph, ref.layer, [crop]) if graph.is_sequential else _behind_output(graph, ref, crop)
        return graph

    def _goes_back(self, before: Graph, ref: TensorRef) -> bool:
        """Whether an output is a map of the input's size."""
        layer = find_input(before, self.input)
        taken, given = batch_shape(layer), before.spec(ref).shape
        first = channel_axis(before, layer.name) == 1
        if taken is None or given is None or len(taken) != len(given):
            return False
        pairs = zip(self._split(taken[1:], first)[0], self._split(given[1:], first)[0], strict=True)
        return all(None in (size, other) or size == other for size, other in pairs)


def _gaps(arriving: Shape, padded: Shape) -> list[list[int]]:
    """What is added before and after, per size."""
    found = []
    for small, large in zip(arriving, padded, strict=True):
        gap = int(large or 0) - int(small or 0)
        found.append([gap // 2, gap - gap // 2])
    return found


def _behind_output(graph: Graph, ref: TensorRef, layer: Layer) -> Graph:
    """`layer` between a tensor and the model's outputs; other layers that take the tensor take it as before."""
    fresh = replace(layer, calls=(Call(args=(ref,)),))
    outputs = map_leaves(lambda one: TensorRef(layer.name) if one == ref else one, graph.outputs)
    return replace(graph, layers=(*graph.layers, fresh), outputs=outputs)


def _concatenating(graph: Graph, name: str, ref: TensorRef, times: int | None) -> Graph:
    layer = graph.layer(name)
    return graph.with_layer(name, replace(layer, calls=(Call(args=([ref] * int(times or 1),)),)))
