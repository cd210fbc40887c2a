"""What to say of a layer that carries code: how much, what it looks like, and what could take its place."""

from collections.abc import Iterator
from typing import Any

from core.bytecode.replacement import described, replacement
from core.bytecode.stored import Stored, formula, stored_function
from core.edits.replace_layer import ReplaceLayer
from core.findings import Finding, Fix, TrustCode
from core.model.graph import Layer, TensorRef


def lambda_finding(path: str, layer: Layer) -> Finding:
    """The `code.lambda` finding of a Lambda: its code as text, and the layer that computes the same if one is known."""
    stored = stored_function(layer.config)
    others = {name: stored_function({"function": layer.config[name]}) for name in _OTHERS if layer.config.get(name)}
    others = {name: one for name, one in others.items() if one.size}
    fixes = _fixes(path, layer, stored)
    what = (
        f"{stored.size} bytes of stored Python code" if stored.size else f"the Python function {stored.name!r} by name"
    )
    doing = f" ({stored.name})" if stored.size and stored.name not in ("<lambda>", "function") else ""
    doing += "".join(f", and {one.size} bytes for its {name}" for name, one in others.items())
    hint = "Replace it with a layer, trust this file, or continue without it."
    if fixes:
        hint = f"Its code looks like {fixes[0].title.removeprefix('Replace it with ')}, but that is not certain."
    return Finding(
        "warning",
        "code.lambda",
        path,
        f"{path} is a Lambda layer with {what}{doing}. It is shown and kept, but never run. {hint}",
        actions=(*fixes, TrustCode(path)),
        detail="\n\n".join(filter(None, (stored.listing(), *(one.listing() for one in others.values())))),
    )


_OTHERS = ("output_shape", "mask")


def inner_lambda_finding(path: str, layer: Layer) -> Finding:
    """The `code.lambda` finding of a layer with stored functions somewhere inside: a wrapped Lambda, an activation."""
    found = [stored_function({"function": value}) for value in _stored(layer)]
    size = sum(one.size for one in found)
    return Finding(
        "warning",
        "code.lambda",
        path,
        f"{path} ({layer.class_name}) contains {size} bytes of stored Python code. It is shown and kept, but never "
        "run. Replace it with a layer, trust this file, or continue without it.",
        (TrustCode(path),),
        "\n\n".join(one.listing() for one in found),
    )


def _stored(layer: Layer) -> Iterator[Any]:
    waiting: list[Any] = [layer.config, *((call.args, call.kwargs) for call in layer.calls)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if item.get("class_name") == "__lambda__":
                yield item
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)


def _fixes(path: str, layer: Layer, stored: Stored) -> tuple[Fix, ...]:
    inputs = _inputs(layer)
    found = formula(stored, inputs) if inputs is not None else None
    if found is None or layer.config.get("mask"):
        return ()

    entry = replacement(found, layer.name)
    config = {key: entry[key] for key in ("class_name", "module", "config", "registered_name")}
    edit = ReplaceLayer(layer=path, config=config)
    return (Fix(f"Replace it with {described(entry)} for {found.text}", (edit,)),)


def _inputs(layer: Layer) -> int | None:
    """How many tensors every call brings: 0 for one alone, else the length of the list."""
    counts = {
        0 if isinstance(call.args[0], TensorRef) else len(call.args[0])
        for call in layer.calls
        if len(call.args) == 1 and isinstance(call.args[0], (TensorRef, list))
    }
    return counts.pop() if len(counts) == 1 else None if counts else 0
