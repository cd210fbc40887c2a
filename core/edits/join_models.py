"""Another file's model joined to this one: behind it, or beside it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError
from core.findings import Finding, Fix, NameCode, TrustCode
from core.model.graph import Call, Graph, Layer, Shape, StoreKey, TensorRef, TensorSpec, Weight, leaves, map_leaves
from core.model.levels import free_name
from core.model.names import snake_case
from core.model.splice import FUNCTIONAL, as_functional, new_layer, pruned
from core.phrases import sample_words
from core.readers.source import Source
from core.surgery.contracts import Joined
from core.surgery.recording import configured
from core.surgery.wiring import Wiring

Merge = Literal["concatenate", "average", "add"]
_MERGES = {"concatenate": "Concatenate", "average": "Average", "add": "Add"}
_OFFERED = 3


class JoinModels(Edit, frozen=True, kw_only=True, tag="join_models"):
    """`file` (an architecture with `weights` beside it, if it has none) joined to this model.

    `series`: `output` (a layer of this model [its only output]) goes on into `input` (of the other model [its only
    one]). `parallel`: side by side, with inputs of their own or `shared` ones; `merge` makes one output of each pair.
    Layers whose names are taken get `prefix` [the other model's name] before them; given, it goes before all of them.
    `nested` keeps the other model as one layer.
    """

    about: ClassVar[str] = "file"
    file: str
    how: Literal["series", "parallel"] = "series"
    weights: str | None = None
    output: str | None = None
    input: str | None = None
    shared: bool = False
    merge: Merge | None = None
    nested: bool = False
    prefix: str | None = None

    @property
    def key(self) -> str:
        """The name under which the other file is opened."""
        return self.file if self.weights is None else f"{self.file} with {self.weights}"

    @property
    def files(self) -> dict[str, tuple[str, str | None]]:
        """The other model's file with its file of weights."""
        return {self.key: (self.file, self.weights)}

    def check(self) -> None:
        """Fields that go with the way of joining."""
        if not self.file:
            raise EditError("file is empty; name the file of the model to join.")
        if self.how == "series" and (self.shared or self.merge):
            raise EditError("shared and merge are only for models side by side; use how = parallel, or leave them out.")
        if self.how == "parallel" and self.output is not None:
            raise EditError("output is only for models in series; use how = series, or leave it out.")
        if self.how == "parallel" and self.input is not None and not self.shared:
            raise EditError("input names the other model's input that is shared; set shared, or leave input out.")
        if self.prefix is not None and not self.prefix.strip("/ "):
            raise EditError("prefix is empty; leave it out to use the other model's name.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """Both models as one: each run by itself, they give what it gives."""
        self.check()
        source = self._source(context.files)
        other, number = source.graph, list(context.files).index(self.key) + 1
        wires = wiring(self, graph, other)
        told = self._told(graph, source, wires)
        name = "new(x) == second(first(x))"
        if self.how == "parallel":
            both = "first(x), second(x)"
            name = f"new(x) == {both}" if self.merge is None else f"new(x) == {self.merge}({both})"
        same = Joined(name=name, file=self.key, wires=wires, series=self.how == "series", merge=self.merge)
        first = as_functional(graph)
        second = as_functional(numbered(other, number))
        if self.how == "series":
            going = [ref for ref in wires.fed if ref is not None]
            first = pruned(replace(first, outputs=[*wires.kept, *going]))
            # a layer that loses calls has the others counted anew
            refs = iter(first.outputs)
            kept = tuple(next(refs) for _ in wires.kept)
            wires = replace(wires, kept=kept, fed=tuple(ref and next(refs) for ref in wires.fed))
        own, joined = _nested(second, other, wires) if self.nested else _flat(second, wires)
        outputs = [wires.port(ref, place) for place, ref in enumerate(other.output_refs())]
        if self.merge is not None:
            merged = list(_merged(self.merge, wires.kept, outputs, [*first.layers, *joined]))
            layers, ends = (*first.layers, *joined, *merged), _single([TensorRef(layer.name) for layer in merged])
        elif wires.kept:
            layers, ends = (
                (*first.layers, *joined),
                _beside(first.outputs if self.how == "parallel" else [*wires.kept], outputs),
            )
        else:
            table = dict(zip(other.output_refs(), outputs, strict=True))
            layers, ends = (*first.layers, *joined), map_leaves(lambda ref: table[ref], other.outputs)
        after = replace(first, layers=layers, inputs=_beside(graph.inputs, own), outputs=ends)
        return Outcome(after, (same,), told)

    def _told(self, before: Graph, source: Source, wires: Wiring) -> tuple[Finding, ...]:
        """Shapes that do not fit, names that changed, and what was said of the other file."""
        other, name = source.graph, Path(self.file).name
        found = [*self._unfit(before, other, wires), *self._unmerged(before, other, wires)]
        if source.kind == "architecture":
            text = (
                f"{name} holds no weights, so its layers start at initial values; name its weights file with weights."
            )
            found.append(Finding("warning", "weight.unmatched", "", text))
        changed = {old: new for old, new in wires.names.items() if old != new} if not self.nested else {}
        if changed:
            first = next(iter(changed.items()))
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            text = f"Layers of {name} were renamed: {first[0]} is now {first[1]}{more}."
            detail = "\n".join(f"{old}: {new}" for old, new in changed.items())
            found.append(Finding("info", "name.changed", first[1], text, detail=detail))
        fed = {ref.layer for ref, given in zip(other.input_refs(), wires.fed, strict=True) if given is not None}
        for one in source.findings:
            head, slash, rest = one.layer.partition("/")
            path = f"{wires.around}/{one.layer}" if wires.around else wires.names.get(head, head) + slash + rest
            place = path if one.layer and (wires.around or head not in fed) else ""
            code = [act for act in one.actions if isinstance(act, NameCode | TrustCode)] if place else []
            actions = tuple(replace(act, layer=place) for act in code)
            found.append(replace(one, layer=place, message=f"{name}: {one.message}", actions=actions))
        return tuple(found)

    def summary(self) -> str:
        """For the recipe list."""
        name = Path(self.file).name
        if self.how == "series":
            return f"{name} follows{f' {self.output}' if self.output else ''}"
        merged = f", outputs by {self.merge}" if self.merge else ""
        return f"{name} side by side{' on the same input' if self.shared else ''}{merged}"

    def _source(self, sources: Mapping[str, Source]) -> Source:
        if self.key not in sources:
            raise EditError(f"The file {self.file!r} has not been opened.")
        source = sources[self.key]
        if source.kind == "weights":
            raise EditError(
                f"{self.file!r} holds weights without a model; name the architecture as file and this one as weights."
            )
        if source.assets:
            raise EditError(
                f"{self.file!r} keeps vocabularies in separate files; write it as .h5 with an empty recipe, which puts "
                "them into the model, and join that file."
            )
        return source

    def _unfit(self, before: Graph, other: Graph, wires: Wiring) -> list[Finding]:
        """Tensors that do not have the shape, or the kind of numbers, that the other model's input declares."""
        found = []
        for ref, given in zip(other.input_refs(), wires.fed, strict=True):
            if given is None:
                continue
            spec, wanted = before.spec(given), declared(other, ref.layer)
            if spec.shape is None or wanted.shape is None:
                continue
            if not fits(spec.shape, wanted.shape):
                text = (
                    f"{given.layer} gives {sample_words(spec.shape)}, but the input {ref.layer!r} of "
                    f"{Path(self.file).name} "
                    f"takes {sample_words(wanted.shape)}; join them where the shapes agree, or insert "
                    "layers between them."
                )
                fixes = self._fixes(before, other, ref, spec.shape, wanted.shape)
                found.append(Finding("error", "shape.incompatible", given.layer, text, tuple(fixes)))
            elif ("int" in wanted.dtype) != ("int" in spec.dtype):
                text = (
                    f"{given.layer} gives {spec.dtype}, but the input {ref.layer!r} of {Path(self.file).name} takes "
                    f"{wanted.dtype}."
                )
                found.append(Finding("warning", "shape.incompatible", given.layer, text))
        return found

    def _fixes(self, before: Graph, other: Graph, ref: TensorRef, gives: Shape, wanted: Shape) -> Iterable[Fix]:
        if self.how == "parallel":
            yield Fix("Give each model its own input", (replace(self, shared=False, input=None),))
            return
        if len(other.input_refs()) == 1 or self.input is not None:
            users = before.consumers()
            offered = 0
            for layer in reversed(before.layers):
                shape = before.spec(TensorRef(layer.name)).shape
                inside = TensorRef(layer.name) in users or layer.name in {one.layer for one in before.output_refs()}
                if shape is not None and inside and fits(shape, wanted) and not layer.is_input and offered < _OFFERED:
                    offered += 1
                    yield Fix(f"Continue from {layer.name}", (replace(self, output=layer.name),))
        for port in other.input_refs():
            shape = declared(other, port.layer).shape
            if port != ref and shape is not None and fits(gives, shape):
                yield Fix(f"Feed {port.layer}", (replace(self, input=port.layer),))

    def _unmerged(self, before: Graph, other: Graph, wires: Wiring) -> list[Finding]:
        """Pairs of outputs that cannot become one."""
        if self.merge is None:
            return []
        for mine, theirs in zip(wires.kept, other.output_refs(), strict=True):
            one, two = before.spec(mine).shape, other.spec(theirs).shape
            if one is None or two is None:
                continue
            same = len(one) == len(two) and fits(one[:-1], two[:-1])
            if same and (self.merge == "concatenate" or fits(one, two)):
                continue
            text = (
                f"{mine.layer} gives {sample_words(one)} and {theirs.layer} of {Path(self.file).name} gives "
                f"{sample_words(two)}, "
                f"which {self.merge} cannot combine; keep both outputs, or join models whose outputs agree."
            )
            fixes = [Fix("Keep both outputs", (replace(self, merge=None),))]
            if same:
                fixes.insert(0, Fix("Concatenate them", (replace(self, merge="concatenate"),)))
            return [Finding("error", "shape.incompatible", mine.layer, text, tuple(fixes))]
        return []


def wiring(edit: JoinModels, graph: Graph, other: Graph) -> Wiring:
    """What goes where. Raises `EditError` where the recipe does not say enough, or names what is not there."""
    for one, what in ((graph, "this model"), (other, repr(edit.file))):
        if one.opaque or not one.input_refs():
            raise EditError(f"The connections between the layers of {what} are unknown, so it cannot be joined.")
        if one.weights:
            raise EditError(f"{what} has weights outside its layers, which only its own class can use.")
    prefix = (edit.prefix or snake_case(other.name) or "second").strip("/")
    taken = {layer.name for layer in graph.layers}
    around = free_name(taken, prefix) if edit.nested else ""
    taken |= {around}
    ports = other.input_refs()
    fed = _fed(edit, graph, other)
    given = {ref.layer for ref, tensor in zip(ports, fed, strict=True) if tensor is not None}
    names: dict[str, str] = {}
    used = taken | {layer.name for layer in other.layers}
    for layer in other.layers:
        if layer.name in given or (edit.nested and not layer.is_input):
            names[layer.name] = layer.name
            continue
        name = layer.name
        if edit.prefix is not None or name in taken:
            name = free_name(used, f"{prefix}_{name}")
        used.add(name)
        names[layer.name] = name
    outputs = graph.output_refs()
    kept = outputs if edit.how == "parallel" else tuple(ref for ref in outputs if ref not in fed)
    if edit.output is not None and edit.output not in {ref.layer for ref in outputs}:
        kept = ()  # what comes after an inner layer is left out
    if edit.merge is not None and len(kept) != len(other.output_refs()):
        raise EditError(
            f"The models have {len(kept)} and {len(other.output_refs())} outputs, so they cannot be merged in pairs; "
            "leave merge out."
        )
    return Wiring(fed, names, kept, around)


def _fed(edit: JoinModels, graph: Graph, other: Graph) -> tuple[TensorRef | None, ...]:
    """For each input of the other model the tensor of this one that goes into it."""
    ports = [ref.layer for ref in other.input_refs()]
    if edit.input is not None and edit.input not in ports:
        raise EditError(f"There is no input {edit.input!r} in {edit.file!r}; its inputs are {', '.join(ports)}.")
    if edit.how == "parallel" and not edit.shared:
        return (None,) * len(ports)
    given = list(graph.input_refs()) if edit.how == "parallel" else _given(edit, graph)
    what = "inputs" if edit.how == "parallel" else "outputs"
    if edit.input is not None or (len(given) == 1 and len(ports) == 1):
        if len(given) > 1:
            hint = "say which with output" if edit.how == "series" else "leave input out, or give each its own inputs"
            raise EditError(f"This model has {_count(given, what)} for the one input {edit.input!r}; {hint}.")
        wanted = edit.input or ports[0]
        return tuple(given[0] if port == wanted else None for port in ports)
    by_name = {ref.layer: ref for ref in given}
    if set(ports) <= set(by_name) and edit.how == "parallel":
        return tuple(by_name[port] for port in ports)
    if len(given) == len(ports):
        return tuple(given)
    asked = [*(["output"] if len(given) > 1 else []), *(["input"] if len(ports) > 1 else [])]
    hint = "give each model its own inputs" if edit.how == "parallel" else f"say which with {' and '.join(asked)}"
    raise EditError(f"This model has {_count(given, what)} and {edit.file!r} has {_count(ports, 'inputs')}; {hint}.")


def _count(names: Iterable[Any], what: str) -> str:
    """`2 outputs (mask, score)`."""
    known = [name.layer if isinstance(name, TensorRef) else str(name) for name in names]
    return f"{len(known)} {what if len(known) != 1 else what[:-1]} ({', '.join(known)})"


def _given(edit: JoinModels, graph: Graph) -> list[TensorRef]:
    """The tensors that go on: the outputs, or what one layer gives."""
    outputs = list(graph.output_refs())
    if edit.output is None:
        return outputs
    found = [ref for ref in outputs if ref.layer == edit.output]
    if found:
        return found
    layer = graph.by_name().get(edit.output)
    if layer is None or not layer.calls:
        known = ", ".join(ref.layer for ref in outputs)
        raise EditError(f"There is no layer {edit.output!r} at the top of this model; its outputs are {known}.")
    return [TensorRef(layer.name, 0, place) for place in range(max(1, len(layer.calls[0].outputs or ())))]


def numbered(graph: Graph, number: int) -> Graph:
    """The other file's graph with its arrays in file `number`, and origins that no layer of the source has."""

    def moved(weight: Weight) -> Weight:
        source = None if weight.source is None else StoreKey(weight.source.key, number)
        return replace(weight, source=source)

    def change(path: str, layer: Layer) -> Layer:
        weights = tuple(moved(weight) for weight in layer.weights)
        return replace(layer, weights=weights, origin=f"{number}:{layer.name}")

    return graph.replace_layers(change)


def declared(graph: Graph, name: str) -> TensorSpec:
    """What an InputLayer declares."""
    layer = graph.layer(name)
    shape, dtype = layer.config.get("batch_shape"), layer.config.get("dtype")
    return TensorSpec(None if shape is None else tuple(shape), dtype if isinstance(dtype, str) else "float32")


def fits(given: Shape, wanted: Shape) -> bool:
    """Whether a tensor may go where a shape is declared, the batch apart."""
    return len(given) == len(wanted) and all(
        one is None or two is None or one == two for one, two in zip(given[1:], wanted[1:], strict=True)
    )


def _flat(second: Graph, wires: Wiring) -> tuple[list[TensorRef], list[Layer]]:
    """The other model's layers beside this one's: its own inputs, and all layers."""
    table = {ref: given for ref, given in zip(second.input_refs(), wires.fed, strict=True) if given is not None}

    def swap(ref: TensorRef) -> TensorRef:
        return table.get(ref) or replace(ref, layer=wires.names[ref.layer])

    gone = {ref.layer for ref in table}
    layers = []
    for layer in second.layers:
        if layer.name in gone:
            continue
        calls = tuple(
            replace(call, args=map_leaves(swap, call.args), kwargs=map_leaves(swap, call.kwargs))
            for call in layer.calls
        )
        born = layer.name if layer.born is None else layer.born
        fresh = replace(layer, name=wires.names[layer.name], calls=calls, born=born)
        fresh = configured(fresh, name=fresh.name) if "name" in layer.config else fresh
        layers.append(fresh if second.trainable else replace(fresh, trainable=False))
    own = [swap(ref) for ref in second.input_refs() if ref not in table]
    return own, layers


def _nested(second: Graph, other: Graph, wires: Wiring) -> tuple[list[TensorRef], list[Layer]]:
    """The other model as one layer, with InputLayers for what nothing feeds."""
    own, layers, given = [], [], {}
    for ref, tensor in zip(other.input_refs(), wires.fed, strict=True):
        if tensor is None:
            name = wires.names[ref.layer]
            layer = other.layer(ref.layer)
            layers.append(replace(configured(layer, name=name), name=name, origin=None, weights=()))
            tensor = TensorRef(name)
            own.append(tensor)
        given[ref] = tensor
    inner = replace(second, name=wires.around)
    call = Call(args=(map_leaves(lambda ref: given[ref], other.inputs),))
    functional: dict[str, Any] = {"class_name": "Functional", "module": FUNCTIONAL, "registered_name": "Functional"}
    # its layers start as they do in a model of their own
    model = Layer(name=wires.around, inner=inner, born="", trainable=second.trainable, calls=(call,), **functional)
    return own, [*layers, model]


def _merged(how: str, mine: Iterable[TensorRef], theirs: Iterable[TensorRef], layers: list[Layer]) -> Iterable[Layer]:
    taken = {layer.name for layer in layers}
    for one, two in zip(mine, theirs, strict=True):
        name = free_name(taken, how)
        taken.add(name)
        yield replace(new_layer(_MERGES[how], name), calls=(Call(args=([one, two],)),))


def _beside(structure: Any, more: list[TensorRef]) -> Any:
    """A structure of tensors with more of them: by name in a dict, else at the end of a list."""
    if not more:
        return _single(list(structure)) if isinstance(structure, (list, tuple)) else structure
    if isinstance(structure, dict):
        named = dict(structure)
        for ref in more:
            named[free_name(named, ref.layer)] = ref
        return named
    return [*leaves(structure), *more]


def _single(refs: list[Any]) -> Any:
    return refs[0] if len(refs) == 1 else refs
