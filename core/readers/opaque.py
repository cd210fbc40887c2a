"""Findings for layers whose code is missing or that carry code: shown, kept, never run."""

from typing import Any

from core.findings import Finding
from core.graph import Graph, Layer
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
        if layer.class_name in CODE_LAYERS:
            found.append(_code(path, layer))
        elif layer.opaque and not graph.opaque:
            unknown.setdefault(layer.class_name, []).append(path)
        for field, name in custom_functions(layer.config):
            found.append(
                Finding(
                    "warning",
                    "code.custom",
                    path,
                    f"{path} uses the custom function {name!r} as {field}, whose code is not in the file.",
                )
            )
    for class_name, paths in unknown.items():
        where = paths[0] if len(paths) == 1 else f"{len(paths)} layers"
        found.append(
            Finding(
                "warning",
                "layer.unknown",
                paths[0],
                f"{class_name} ({where}) is not a class of Keras: shown from its config and weights, carried through as "
                "it is.",
                detail="\n".join(paths),
            )
        )
    return tuple(found)


def _code(path: str, layer: Layer) -> Finding:
    if layer.class_name != "Lambda":
        return Finding(
            "warning", "code.custom", path, f"{path} is a {layer.class_name}, which runs code from elsewhere."
        )
    size = code_size(layer.config.get("function"))
    what = f"{size} bytes of stored Python code" if size else "a Python function by name"
    return Finding(
        "warning",
        "code.lambda",
        path,
        f"{path} is a Lambda layer with {what}. It is shown and kept, and never run.",
    )


def code_size(function: Any) -> int:
    """Bytes of stored bytecode in a Lambda's `function`; 0 when it names a function."""
    if isinstance(function, dict) and isinstance(function.get("config"), dict):
        function = function["config"].get("code", "")
        return len(function) * 3 // 4 if isinstance(function, str) else 0
    if isinstance(function, list) and function and isinstance(function[0], str):
        return len(function[0]) * 3 // 4
    return 0


def custom_functions(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Fields that refer to a function which is not Keras's, with the function's name."""
    found = []
    for field, value in config.items():
        if not field.endswith("activation"):
            continue
        if isinstance(value, dict) and value.get("class_name") == "function":
            found.append((field, str(value.get("registered_name") or value.get("config"))))
        elif isinstance(value, str) and not _is_activation(value):
            found.append((field, value))
    return found


def _is_activation(name: str) -> bool:
    from core.readers.known import ACTIVATIONS

    return name in ACTIVATIONS
