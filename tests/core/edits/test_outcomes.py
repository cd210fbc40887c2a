"""What an edit answers: decided once, about graphs whose shapes are asked for, and about one subject."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.edits.base import Context
from core.model.graph import Graph
from core.recipes.gestures import make_edit
from tests.core.edits import zoo
from tests.core.engine.drive import opened, recipe, saved
from tests.core.engine.small_models import fill


def test_that_what_depends_on_shapes_is_put_right_until_nothing_changes() -> None:
    graphs = [Graph(str(number)) for number in range(4)]
    asked = []

    def shaped(graph: Graph) -> Graph:
        asked.append(graph)
        return graph

    context = Context(Graph("source"), shaped=shaped)
    after = context.settled(graphs[0], lambda now: graphs[min(int(now.name) + 1, 3)])
    assert after is graphs[3]
    assert asked == graphs


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def source(name: str) -> Path:
        if name not in made:
            model = getattr(zoo, name)()
            fill(model)
            made[name] = saved(model, tmp_path_factory.mktemp("outcomes"), f"{name}.keras")
        return made[name]

    return source


DECISIONS: dict[str, tuple[str, dict[str, Any], str]] = {
    "change_input": ("nested", {"shape": [16, 16, 1]}, "core.edits.change_input.decide"),
    "data_format": ("nested", {"to": "channels_first"}, "core.edits.data_format.walk_layout"),
    "fold_batch_norm": ("nested", {}, "core.edits.fold_batch_norm.folded"),
    "inflate": ("flat", {"shape": [4, 16, 16, 3]}, "core.edits.inflate.grow"),
    "join_models": ("flat", {"file": "flat"}, "core.edits.join_models.wiring"),
    "remove_head": ("nested", {}, "core.edits.remove_head.find_head"),
    "replace_layer": ("flat", {"layer": "stem", "config": {"class_name": "Conv2DTranspose", "config": {
        "filters": 8, "kernel_size": 3, "padding": "same"}}}, "core.edits.replace_layer.carry"),
    "transfer_weights": ("flat", {"file": "flat"}, "core.edits.transfer_weights.transferred"),
}  # fmt: skip


@pytest.mark.parametrize("do", DECISIONS)
def test_that_an_edit_decides_once(do: str, sources: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name, fields, decision = DECISIONS[do]
    if "file" in fields:
        fields = {**fields, "file": str(sources(fields["file"]))}
    module, _, function = decision.rpartition(".")
    decide = getattr(sys.modules[module], function)
    asked = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        return decide(*args, **kwargs)

    engine = opened(sources(name))
    monkeypatch.setattr(decision, counted)
    engine.plan(recipe({"do": do, **fields}))
    assert len(asked) == 1


HEAD = {"pooling": "avg"}
SAME = [
    (("change_input", {"shape": [8, 8, 1]}), ("change_input", {"shape": [9, 9, 3]})),
    (("data_format", {"to": "channels_first"}), ("data_format", {"to": "channels_last"})),
    (("remove_layer", {"layer": "a[1]"}), ("fold_batch_norm", {"layers": ["a[[]1]"]})),
    (("remove_head", HEAD), ("remove_head", {"pooling": "max"})),
    (("set_rule", {"weight": "a/kernel", "rule": "sum"}), ("set_rule", {"weight": "a/kernel", "rule": "repeat"})),
]
APART = [
    (("change_input", {"shape": [8]}), ("change_input", {"shape": [8], "input": "b"})),
    (("remove_head", HEAD), ("attach_head", {"classes": 3})),
    (("remove_head", HEAD), ("remove_head", {"output": 1})),
    (("fold_batch_norm", {"layers": ["a"]}), ("remove_layer", {"layer": "a"})),
    (("remove_layer", {"layer": "a"}), ("remove_layer", {"layer": "a"})),
    (("set_trainable", {"layers": ["a"]}), ("set_trainable", {"layers": ["a"]})),
]


@pytest.mark.parametrize(
    ("earlier", "later", "gives_way"), [*((*one, True) for one in SAME), *((*one, False) for one in APART)]
)
def test_that_a_later_edit_of_the_same_subject_takes_the_place_of_an_earlier_one(
    earlier: Any, later: Any, gives_way: bool
) -> None:
    old, new = (make_edit(do, **fields) for do, fields in (earlier, later))
    assert old.gives_way_to(new) is gives_way
