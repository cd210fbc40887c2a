"""The tree of objects in a SavedModel, and the constants that fill its lookup tables, without TensorFlow.

Field numbers: `saved_object_graph.proto`, `graph.proto`, `tensor.proto` and Keras's `saved_metadata.proto`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from core.readers.containers.fault import unreadable
from core.readers.containers.jsontext import parse_json
from core.readers.containers.protobuf import Malformed, fields, message, messages, number, signed, text, varint

_MOST_WORDS = 5_000_000


class SavedObjects:
    """Objects by number, with their children by name. Raises `Malformed` where the bytes are none of this."""

    def __init__(self, folder: Path, data: bytes) -> None:
        graphs = messages(data, 2)
        self._graph = message(graphs[0], 2) if graphs else b""
        objects = message(graphs[0], 7) if graphs else b""
        self._nodes = messages(objects, 1)
        self._functions = {text(entry, 1): message(entry, 2) for entry in messages(objects, 2)}
        self._places = self._named(folder)

    def _named(self, folder: Path) -> dict[str, tuple[str, ...] | None]:
        """Every layer's place below the root by its name; `None` for a name that two layers have."""
        found: dict[str, tuple[str, ...] | None] = {}
        for path, metadata in self._described(folder):
            value = parse_json(metadata, folder)
            name = value.get("name") if isinstance(value, dict) else None
            if isinstance(name, str):
                known = found.get(name, path)
                found[name] = path if known == path else None
        return found

    def _described(self, folder: Path) -> list[tuple[tuple[str, ...], bytes]]:
        file = folder / "keras_metadata.pb"
        if file.is_file():
            try:
                entries = messages(file.read_bytes(), 1)
            except OSError as error:
                raise unreadable(file, error) from error
            return [(tuple(text(one, 3).split(".")[1:]), message(one, 5)) for one in entries if _is_layer(text(one, 4))]
        found: list[tuple[tuple[str, ...], bytes]] = []  # before TensorFlow 2.5: in the objects themselves
        for path, index in self._walk():
            user = message(self._nodes[index], 4)
            if _is_layer(text(user, 1)):
                found.append((path, message(user, 3)))
        return found

    def _walk(self) -> list[tuple[tuple[str, ...], int]]:
        found: list[tuple[tuple[str, ...], int]] = [((), 0)]
        seen = {0}
        for path, index in found:
            for name, child in sorted(self._children(index).items()):
                if child not in seen and child < len(self._nodes) and name != "keras_api":
                    seen.add(child)
                    found.append(((*path, name), child))
        return found

    def _children(self, index: int) -> dict[str, int]:
        return {text(one, 2): number(one, 1) for one in messages(self._nodes[index], 1)}

    def place(self, name: str) -> tuple[str, ...] | None:
        """Where below the root the layer of this name is; `None` when it is not there or not alone."""
        return self._places.get(name)

    def words(self, path: tuple[str, ...]) -> list[Any]:
        """The keys of the table at a place, in the order of their numbers; empty when they are no constants."""
        index: int | None = 0
        for name in (*path, "_initialize"):
            index = self._children(index).get(name) if index is not None and index < len(self._nodes) else None
        if index is None or index >= len(self._nodes):
            return []
        names = messages(message(self._nodes[index], 6), 1)
        function = self._functions.get(names[0].decode("utf8", "replace")) if names else None
        if function is None:
            return []
        constants = [
            text(message(self._nodes[one], 9), 1)
            for one in _numbers(function, 2)
            if one < len(self._nodes) and messages(self._nodes[one], 9)
        ]
        if len(constants) != 2:
            return []
        keys, values = (self._constant(one) for one in constants)
        if not keys or len(keys) != len(values) or not all(isinstance(one, int) for one in values):
            return []
        return [key for _, key in sorted(zip(values, keys, strict=True), key=lambda pair: pair[0])]

    def _constant(self, name: str) -> list[Any]:
        for node in messages(self._graph, 1):
            if text(node, 1) == name and text(node, 2) == "Const":
                for attribute in messages(node, 5):
                    if text(attribute, 1) == "value":
                        return _tensor(message(message(attribute, 2), 8))
        return []


def _is_layer(identifier: str) -> bool:
    return identifier.startswith("_tf_keras") and not identifier.endswith(("_metric", "_model", "_network"))


def _tensor(data: bytes) -> list[Any]:
    """A tensor of texts or of 64-bit numbers as a flat list; one value may stand for many."""
    count = 1
    for dim in messages(message(data, 2), 2):
        count *= signed(number(dim, 1))
    if not 0 <= count <= _MOST_WORDS:
        raise Malformed
    kind = number(data, 1)
    found: list[Any]
    if kind == 7:
        found = [one.decode("utf8", "replace") for one in messages(data, 8)]
    elif kind == 9:
        content = message(data, 4)
        usable = len(content) - len(content) % 8
        found = np.frombuffer(content[:usable], "<i8").tolist() if content else [signed(n) for n in _numbers(data, 10)]
    else:
        return []
    if found and len(found) < count:
        found += [found[-1]] * (count - len(found))
    return found if len(found) == count else []


def _numbers(data: bytes, wanted: int) -> list[int]:
    """A repeated number field, packed or not."""
    found: list[int] = []
    for field, value in fields(data):
        if field != wanted:
            continue
        if isinstance(value, int):
            found.append(value)
            continue
        position = 0
        while position < len(value):
            one, position = varint(value, position)
            found.append(one)
    return found
