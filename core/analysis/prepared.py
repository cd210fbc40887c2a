"""Preprocessing layers whose words, weights or bounds were learnt, in files that do not hold what they learnt."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

from core.edits.accept_losses import AcceptLosses
from core.findings import Finding, Fix
from core.layers.table import classes
from core.model.graph import Graph, Layer

CODE: Literal["layer.unlearnt"] = "layer.unlearnt"
_LEARNT = {
    **dict.fromkeys(classes(kind="lookup"), ("vocabulary",)),
    "Discretization": ("bin_boundaries",),
}
_WHAT = {
    "vocabulary": ("its vocabulary", "a list of its words in their order"),
    "idf_weights": ("the weights of its words", "a number for each word of the vocabulary, the unknown word included"),
    "bin_boundaries": ("its bounds", "a list of bounds"),
}


def prepared_findings(graph: Graph, assets: tuple[str, ...], accepted: Iterable[str] = ()) -> tuple[Finding, ...]:
    """An error for each layer that Keras cannot run, since what it learnt is in neither config, arrays nor assets.

    `accepted` names what may be missing, as `layer path/field` with globs: that is a warning then.
    """
    accepted = tuple(accepted)
    return tuple(
        _finding(path, layer, field, any(fnmatchcase(f"{path}/{field}", one) for one in accepted))
        for path, layer in graph.walk()
        if (field := _missing(layer, assets)) is not None
    )


def _missing(layer: Layer, assets: tuple[str, ...]) -> str | None:
    wanted: tuple[str, ...] = _LEARNT.get(layer.class_name, ())
    if not wanted or layer.opaque:
        return None
    if layer.config.get("output_mode") == "tf_idf" and wanted == ("vocabulary",):
        wanted = ("idf_weights", *wanted)
    held = {weight.name.rpartition("/")[2] for weight in layer.weights}
    if any("vocabulary" in name for name in assets):
        held.add("vocabulary")
    return next((name for name in wanted if not layer.config.get(name) and name not in held), None)


def _finding(path: str, layer: Layer, field: str, accepted: bool) -> Finding:

    what, form = _WHAT[field]
    if accepted:
        text = (
            f"{path} ({layer.class_name}) is kept without {what}, which the file does not contain: Keras cannot run "
            "the result until the layer is adapted again."
        )
        return Finding("warning", CODE, path, text)
    text = (
        f"{path} ({layer.class_name}) learned {what}, and the file does not contain them in a readable form. Set them "
        f"with replace_layer as {field} ({form}), or adapt the layer again in Keras and save the model."
    ).replace("its vocabulary, and the file does not contain them", "its vocabulary, and the file does not contain it")
    if field == "vocabulary":
        text = text.replace("Set them with", "Set it with")
    fix = Fix(f"Keep it without {what}", (AcceptLosses(initialized=(f"{path}/{field}",)),))
    return Finding("error", CODE, path, text, (fix,))
