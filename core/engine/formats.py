"""What a format has no place for: kept in another way, and told; where it would be lost, nothing is written."""

from collections.abc import Iterator

from core.engine.low_rank import has_update
from core.engine.vocabularies import asset_names
from core.errors import FileError
from core.findings import Finding
from core.model.graph import Graph
from core.readers.source import Source
from core.surgery.words import LOOKUPS

_LEGACY = frozenset({".h5", ".hdf5"})


def format_findings(graph: Graph, source: Source, ending: str) -> tuple[Finding, ...]:
    """What is kept in another way in a file of this ending. Raises `FileError` if something would be lost."""
    if ending not in {*_LEGACY, ".weights.h5"}:
        return ()
    found = list(_vocabularies(graph, source, ending))
    if ending in _LEGACY:
        found += [
            Finding(
                "info",
                "legacy.repaired",
                path,
                f"The low-rank update (LoRA) of {path} is added to its weights, because {ending} cannot store it "
                "separately; call enable_lora again to continue training it.",
            )
            for path, layer in graph.walk()
            if has_update(layer)
        ]
    return tuple(found)


def _vocabularies(graph: Graph, source: Source, ending: str) -> Iterator[Finding]:
    layers = graph.by_path()
    for path, names in asset_names(graph, source).items():
        if ending == ".weights.h5":
            message = f"The vocabulary of {path} is part of the model and is not stored in a weights file."
        elif layers[path].class_name in LOOKUPS:
            message = f"The vocabulary of {path} is stored in its config, because {ending} cannot contain files."
        elif layers[path].inner is not None:
            continue
        else:
            kept = ", ".join(name for name, _ in names[:3])
            raise FileError(
                f"{path} ({layers[path].class_name}) has its own files ({kept}), which only a .keras file can "
                "contain; write a .keras file.",
                layer=path,
            )
        yield Finding("info", "legacy.repaired", path, message)
