"""Findings for layers whose code is missing or that carry code: shown, kept, never run."""

from core.findings import Finding
from core.graph import Graph, Layer
from core.readers.code_findings import lambda_finding
from core.readers.config_graph import is_known
from core.readers.foreign import layer_code
from core.readers.known import CODE_LAYERS


def opaque_findings(graph: Graph, weights_only: bool = False) -> tuple[Finding, ...]:
    """What to say of opaque models, unknown classes, Lambda layers and custom functions."""
    found: list[Finding] = []
    if graph.opaque and not weights_only:
        found.append(
            Finding(
                "warning",
                "graph.opaque",
                "",
                f"{graph.class_name} is a custom model class whose code is not in the file: its layers and weights are "
                "shown, their connections are unknown.",
            )
        )
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
                )
            )
        elif is_known(layer.module, layer.class_name) and layer.inner is None:
            found += _custom(path, layer)
        elif layer.opaque and not graph.opaque:
            unknown.setdefault(layer.class_name, []).append(path)
    found += [_unknown(class_name, paths) for class_name, paths in unknown.items()]
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
        detail="\n".join(paths),
    )


def _custom(path: str, layer: Layer) -> list[Finding]:
    """A layer of Keras's own that uses a function or class which is not."""
    return [
        Finding(
            "warning",
            "code.lambda" if name == "__lambda__" else "code.custom",
            path,
            f"{path} uses {_WORDS.get(name, repr(name))}, whose code is not Keras's: the layer is carried through "
            "untouched, and nothing of it is run; name the file that defines it, or go on without.",
        )
        for name in layer_code(layer.class_name, layer.config)
    ]


_WORDS = {"__lambda__": "a stored Python function", "__typespec__": "a stored type", "a file": "a file by its path"}
