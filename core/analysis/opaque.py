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
        what = f"{graph.class_name} is a custom model class: even its code does not say how its layers are connected."
        if graph.class_name in MODELS:
            what = "The file does not say how the model's layers are connected."
        found.append(_unconnected(what, graph))
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
                    f"{path} is a {layer.class_name}, which runs external code. It is kept unchanged and never run.",
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


def _unconnected(what: str, graph: Graph) -> Finding:
    """What can be done with a model whose connections are unknown: only what there is of it is said to be shown."""
    held = any(layer.weights for _, layer in graph.walk())
    if not graph.layers:
        text = (
            f"{what} The file lists none of its layers and holds no weights that could be shown, so nothing can be "
            "adapted here. Save the model again with the code that defines it, or build the same network from layers."
        )
    elif not held:
        text = (
            f"{what} Its layers are shown and kept; the file holds no weights for them. To adapt it, build the same "
            "network from layers and save it."
        )
    else:
        text = (
            f"{what} Its layers and weights are shown and kept. To adapt it, build the same network from layers, save "
            "it, open that file and copy the weights of this one with transfer_weights."
        )
    return Finding("warning", "graph.opaque", "", text, (RebuildModel(),) if held else ())


def _unknown(class_name: str, paths: list[str]) -> Finding:
    article = "an" if class_name[:1] in "AEIOUaeiou" else "a"
    who = f"{paths[0]} is {article} {class_name}"
    if len(paths) > 1:
        who = f"{len(paths)} layers are of the class {class_name} (first: {paths[0]})"
    what = "It is" if len(paths) == 1 else "They are"
    return Finding(
        "warning",
        "layer.unknown",
        paths[0],
        f"{who}, whose code is not available. {what} kept unchanged; provide the Python file that defines it, or "
        "continue without it.",
        (NameCode(paths[0]),),
        "\n".join(paths),
    )


def _model(path: str, class_name: str) -> Finding:
    who = f"{path} is a model" if path else "The model is"
    return Finding(
        "warning",
        "layer.unknown",
        path,
        f"{who} of the class {class_name}, whose code is not available. Its layers can be edited, but Keras needs "
        "the code to load the result; provide the Python file that defines it, or continue without it.",
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
        if name == "a file":
            text = f"{path} reads a file by its path, which is not opened. The layer is kept unchanged and never run."
            found.append(Finding("warning", "code.custom", path, text))
            continue
        found.append(
            Finding(
                "warning",
                "code.custom",
                path,
                f"{path} uses {name!r}, which is not part of Keras. The layer is kept unchanged and never "
                "run; provide the Python file that defines it, or continue without it.",
                (NameCode(path),),
            )
        )
    return found
