"""Preprocessing layers whose words or bounds were learnt, in files that do not hold what they learnt."""

from core.findings import Finding
from core.graph import Graph

_LEARNT = {
    "StringLookup": ("vocabulary",),
    "IntegerLookup": ("vocabulary",),
    "TextVectorization": ("vocabulary",),
    "Discretization": ("bin_boundaries",),
}


def prepared_findings(graph: Graph, assets: tuple[str, ...]) -> tuple[Finding, ...]:
    """An error for each layer that Keras could not run, since what it learnt is neither in the config nor an asset."""
    found = []
    for path, layer in graph.walk():
        wanted: tuple[str, ...] = _LEARNT.get(layer.class_name, ())
        if layer.config.get("output_mode") == "tf_idf" and wanted == ("vocabulary",):
            wanted = ("idf_weights", *wanted)
        field = next((name for name in wanted if not layer.config.get(name)), None)
        kept = any("vocabulary" in name for name in assets)
        if field is None or layer.opaque or (kept and field == "vocabulary"):
            continue
        message = (
            f"{path} ({layer.class_name}) has {field}={layer.config.get(field)!r}, and the file does not hold what the "
            "layer learnt in a form that can be read; adapt it again in Keras, or save it there with its "
            f"{field.replace('_', ' ')} given."
        )
        found.append(Finding("error", "layer.unknown", path, message))
    return tuple(found)
