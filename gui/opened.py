"""What the banner says after opening: what kind of file it is, what was repaired, what is missing."""

from pathlib import Path

from core.readers.source import Source
from gui.digest import count_words, size_words

KINDS = {
    "model": "",
    "weights": "weights only: there are no layers to edit, but its arrays can be looked at",
    "architecture": "an architecture without weights; \u201cOpen weights with this architecture\u201d fills it",
}


def opened_words(source: Source) -> tuple[str, str, str]:
    """Tone, sentence and details."""
    layers = sum(1 for _ in source.graph.walk())
    parts = [f"{source.format}, {layers} layers, {count_words(source.graph.num_params())} parameters"]
    if source.size:
        parts[0] += f", {size_words(source.size)}"
    kind = "" if source.weights_path else KINDS[source.kind]
    if kind:
        parts.append(kind)
    if source.weights_path:
        parts.append(f"weights from {Path(source.weights_path).name}")
    repaired = [one for one in source.findings if one.code == "legacy.repaired"]
    unseen = [one for one in source.findings if one.code in ("code.custom", "code.lambda", "graph.opaque")]
    missing = [one for one in unseen if one.severity != "info"]
    damaged = [one for one in source.findings if one.severity == "error"]
    if repaired:
        parts.append(f"{len(repaired)} old setting{'s' if len(repaired) > 1 else ''} repaired")
    if missing:
        parts.append(f"{len(missing)} layer{'s' if len(missing) > 1 else ''} whose code is not in the file")
    lines = [
        f"{one.layer + ': ' if one.layer else ''}{one.message}{chr(10) + one.detail if one.detail else ''}"
        for one in (*damaged, *missing, *repaired)
    ]
    tone = "warning" if damaged or missing else "info"
    return tone, " \u00b7 ".join(parts), "\n".join(lines)
