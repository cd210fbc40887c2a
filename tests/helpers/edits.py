"""Edits on bare graphs, whose shapes nobody follows: what an edit makes of one, and several in a row."""

from collections.abc import Mapping
from typing import Any

from core.edits.base import Context, Edit, Outcome
from core.model.graph import Graph


def outcome(edit: Edit, graph: Graph, files: Mapping[str, Any] | None = None) -> Outcome:
    return edit.apply(graph, Context(graph, files=files or {}))


def applied(graph: Graph, *edits: Edit) -> Graph:
    for edit in edits:
        graph = outcome(edit, graph).graph
    return graph
