"""Findings for layers whose code is missing or that carry code: shown, kept, never run."""

from core.analysis.code_findings import inner_lambda_finding, lambda_finding
from core.findings import Finding, NameCode, RebuildModel
from core.layers.foreign import call_code, foreign_models, layer_code
from core.layers.known import CODE_LAYERS, MODELS
from core.model.graph import Graph, Layer
from core.readers.config_graph import is_known


def opaque_findings(graph: Graph, weights_only: bool = False) -> tuple[Finding, ...]:
    """What to say of opaque models, unknown classes, Lambda layers and custom functions."""
    found: list[Finding] = []
    if graph.opaque and not weights_only:
        what = f"{graph.class_name} is a custom model class whose code is not in the file: its"
        if graph.class_name in MODELS:
            what = "The file does not say how the model's layers are connected: its"
        text = (
            f"{what} layers and weights are shown and kept, but their connections are unknown, even with its code. To "
            "adapt it, build the same network from layers, save it, open that file and copy the weights of this one "
            "with transfer_weights."
        )
        found.append(Finding("warning", "graph.opaque", "", text, (RebuildModel(),)))
    unknown: dict[str, list[str]] = {}
    for path, layer in graph.walk():
        if layer.class_name == "Lambda":
            found.append(lambda_finding(path, layer))
        elif layer.class_name in CODE_LAYERS:
            found.append(
                Finding(
                    "warning",
                    "code.custom",
                    path,
                    f"{path} is a {layer.class_name}, which runs code from elsewhere: it is carried through untouched.",
                    (NameCode(path),),
                )
            )
        elif is_known(layer.module, layer.class_name) and not layer.is_model:
            found += _custom(path, layer)
        elif layer.opaque and not graph.opaque:
            unknown.setdefault(layer.class_name, []).append(path)
    found += [_unknown(class_name, paths) for class_name, paths in unknown.items()]
    found += [_model(path, class_name) for path, class_name in foreign_models(graph)]
    return tuple(found)


def _unknown(class_name: str, paths: list[str]) -> Finding:
    article = "an" if class_name[:1] in "AEIOUaeiou" else "a"
    who = f"{paths[0]} is {article} {class_name}"
    if len(paths) > 1:
        who = f"{len(paths)} layers are of the class {class_name} (the first is {paths[0]})"
    what = "it is" if len(paths) == 1 else "they are"
    return Finding(
        "warning",
        "layer.unknown",
        paths[0],
        f"{who}, whose code is not here: {what} carried through untouched; name the file that defines it, or go on "
        "without.",
        (NameCode(paths[0]),),
        "\n".join(paths),
    )


def _model(path: str, class_name: str) -> Finding:
    who = f"{path} is a model" if path else "The model is"
    return Finding(
        "warning",
        "layer.unknown",
        path,
        f"{who} of the class {class_name}, whose code is not here: it is edited by its layers and keeps its class, so "
        "that Keras needs that code to load it; name the file that defines it, or go on without.",
        (NameCode(path),) if path else (),
    )


def _custom(path: str, layer: Layer) -> list[Finding]:
    """A layer of Keras's own that uses a function or class which is not."""
    names = layer_code(layer.class_name, layer.config)
    names += [name for call in layer.calls for name in call_code(call) if name not in names]
    found = [inner_lambda_finding(path, layer)] if "__lambda__" in names else []
    for name in names:
        if name in ("__lambda__", "Lambda") and found:
            continue
        what = "a file by its path, which is not opened" if name == "a file" else f"{name!r}, whose code is not Keras's"
        found.append(
            Finding(
                "warning",
                "code.custom",
                path,
                f"{path} uses {what}: the layer is carried through untouched, and nothing of it is run; name the file "
                "that defines it, or go on without.",
                (NameCode(path),),
            )
        )
    return found
