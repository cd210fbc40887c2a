"""One digest of a plan for tree and canvas."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.findings import Finding
from core.model.plan import Fate, Plan
from core.recipes import gestures
from gui.canvas import plan_digest
from gui.canvas.badges import Marks
from gui.canvas.plan_digest import PlanDigest, digest_of
from gui.window import MainWindow
from tests.gui.canvas import graphs

LEFT = Qt.MouseButton.LeftButton


def counted(counts: Counter[str], name: str, made: Callable[..., Any]) -> Callable[..., Any]:
    def count(*arguments: Any) -> Any:
        counts[name] += 1
        return made(*arguments)

    return count


@pytest.mark.parametrize("view", ["after", "difference"])
def test_that_tree_and_canvas_take_one_digest_of_a_plan(
    view: str, qtbot: QtBot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    for name in ("layer_of", "badges", "marks", "difference"):
        monkeypatch.setattr(plan_digest, name, counted(counts, name, getattr(plan_digest, name)))
    qtbot.mouseClick(opened.top.views.button(view), LEFT)
    counts.clear()
    opened.session.gesture(
        lambda recipe: gestures.set_input(recipe, None, (96, 96, 1), "auto", (96, 96, 3)), "One channel"
    )
    qtbot.waitUntil(lambda: not opened.session.planning)
    plan, before = opened.session.plan, opened.session.before_graph
    assert plan is not None
    assert before is not None
    asked = {"layer_of": len(plan.fates), "badges": 1, "marks": 1, "difference": 1 if view == "difference" else 0}
    assert {name: counts[name] for name in asked} == asked
    shown = opened.workspace.layers.model
    digest = digest_of(plan, before)
    assert shown._extras.badges["backbone/stem_conv"] is digest.badges["backbone/stem_conv"]
    marks = digest.difference_marks if view == "difference" else digest.marks
    assert opened.workspace.canvas._badges is marks
    assert marks["backbone/stem_conv"].fate == digest.badges["backbone/stem_conv"].fate == "adapted"
    # nothing is worked out again when a view is chosen
    for other in ("before", "difference", "after", view):
        qtbot.mouseClick(opened.top.views.button(other), LEFT)
    assert {name: counts[name] for name in asked} == {**asked, "difference": 1}


def test_that_another_plan_or_another_source_has_a_digest_of_its_own() -> None:
    source = graphs.nested()
    plan = Plan(True, source)
    assert digest_of(plan, source) is digest_of(plan, source)
    assert digest_of(plan, graphs.nested()) is not digest_of(plan, source)
    assert digest_of(Plan(True, source), source) is not digest_of(plan, source)
    assert len(plan_digest._LATEST) <= 2


def test_that_a_name_with_a_slash_says_nothing_of_a_layer_named_like_its_beginning() -> None:
    tower = graphs.graph(graphs.layer("in", "InputLayer"), graphs.layer("a", "Dense", "in", weights=("kernel",)))
    tower = tower.with_layer("a", tower.layer("a"))
    odd = graphs.layer("a/b", "Dense", "a", weights=("kernel",))
    graph = graphs.graph(*tower.layers, odd)
    nested = graphs.graph(graphs.layer("in", "InputLayer"), graphs.layer("body", "Functional", "in", inner=graph))
    for prefix, level in (("", graph), ("body/", nested)):
        fates = (Fate(f"{prefix}a/kernel", "copied", (3,)), Fate(f"{prefix}a/b/kernel", "mismatched", (3,)))
        findings = (Finding("error", "weight.mismatch", f"{prefix}a/b", "Odd."),)
        digest = PlanDigest(Plan(False, level, fates=fates, findings=findings), level)
        assert digest.badges[f"{prefix}a"].counts == (("copied", 1),)
        assert digest.marks[f"{prefix}a"] == Marks("copied")
        assert digest.marks[f"{prefix}a/b"] == Marks("mismatched", severity="error", messages=("Odd.",))
        if prefix:
            assert digest.marks["body"] == Marks("mismatched", severity="error")
            assert digest.badges["body"].counts == (("mismatched", 1), ("copied", 1))


def test_that_the_shape_of_the_largest_weight_stands_for_its_layer() -> None:
    fates = (
        Fate("backbone/conv/bias", "copied", (8,)),
        Fate("backbone/conv/kernel", "copied", (3, 3, 1, 8)),
        Fate("dense/kernel", "copied", (4, 2)),
    )
    digest = PlanDigest(Plan(True, graphs.nested(), fates=fates), graphs.nested())
    assert digest.main_shapes == {"backbone/conv": (3, 3, 1, 8), "dense": (4, 2)}
