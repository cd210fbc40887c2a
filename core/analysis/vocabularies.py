"""Vocabularies that changed while the rows of the words stayed where they were. Pure."""

from collections.abc import Iterator

from core.edits import KeepWords, SetRule
from core.findings import Finding, Fix
from core.model.graph import Graph, Layer, origins
from core.rules import KeepRows, MapChannels
from core.surgery.words import LOOKUPS, User, index_count, special_tokens, users, vocabulary

_ARRAYS = {"table": "embeddings", "rows": "kernel"}


def vocabulary_findings(before: Graph, after: Graph) -> Iterator[Finding]:
    """An error for each table whose rows stand for other words than in the source, unless a rule moves them."""
    lookups = [(path, layer) for path, layer in after.walk() if layer.class_name in LOOKUPS]
    if not lookups:
        return
    named, old_layers = origins(after), before.by_path()
    for path, layer in lookups:
        source = old_layers.get(named.get(path, ""))
        old, new = (vocabulary(source) if source is not None else None), vocabulary(layer)
        if source is None or not old or not new or old == new:
            continue
        for user in users(after, path):
            found = _stale(path, layer, user, after.find(user.path), old, new)
            if found is not None:
                yield found


def _stale(
    path: str, layer: Layer, user: User, taker: Layer, old: tuple[object, ...], new: tuple[object, ...]
) -> Finding | None:
    name = _ARRAYS.get(user.kind)
    weight = next((one for one in taker.weights if one.name == name), None)
    if name is None or weight is None or weight.source is None:
        return None
    if any(isinstance(rule, KeepRows | MapChannels) for rule in taker.rules_for(name)):
        return None
    array, start, count = f"{user.path}/{name}", len(special_tokens(layer)), index_count(layer, new)
    moved = next((place for place, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
    if moved is None and count <= weight.shape[0]:
        return None  # words were added behind the others or taken from the end: every row stands for what it did
    if moved is not None:
        text = (
            f"The vocabulary of {path} changed, but the rows of {array} did not: row {start + moved} was learned for "
            f"{old[moved]!r} but is now used for {new[moved]!r}."
        )
    else:
        text = f"{path} now gives indices up to {count - 1}, but {array} has only {weight.shape[0]} rows."
    words = KeepWords(layer=path, vocabulary=tuple(new))  # type: ignore[arg-type]
    fixes = [Fix("Move each row to its word", (words,))]
    if count <= weight.shape[0] and user.kind == "table":
        stay = SetRule(weight=array, rule=KeepRows(keep=tuple(range(weight.shape[0]))))
        fixes.append(Fix("Leave the rows where they are", (stay,)))
    return Finding("error", "weight.mismatch", user.path, text, tuple(fixes))
