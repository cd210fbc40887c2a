"""The session: one source, one recipe, undo, and plans that are never older than the recipe."""

import pytest
from pytestqt.qtbot import QtBot

from core.errors import Cancelled, FileError, OwnFault, RecipeError
from core.recipes import gestures
from core.recipes.recipe import Recipe
from core.service.messages import Apply, MakePlan, OpenModel, SetSource, Warm
from gui.document.session import Session
from gui.document.work import Work
from tests.gui.hand_made import FakeWorker, source, steps

ORIGINAL = (96, 96, 3)


def resize(session: Session, size: int, burst: str = "") -> None:
    session.gesture(
        lambda recipe: gestures.set_input(recipe, None, (size, size, 3), "auto", ORIGINAL), f"Size {size}", burst
    )


@pytest.fixture
def ready(work: Work, qtbot: QtBot, session: Session) -> Session:
    work.start()
    session.set_source(source())
    qtbot.waitUntil(lambda: session.plan is not None)
    return session


def test_that_a_source_is_shown_before_the_engine_has_answered(session: Session, engine: FakeWorker) -> None:
    engine.hold = True
    session.set_source(source())
    assert session.shown_graph == source().graph
    assert session.planning


def test_that_opening_asks_the_reader_and_then_the_engine(
    work: Work, qtbot: QtBot, session: Session, reader: FakeWorker, engine: FakeWorker
) -> None:
    work.start()
    with qtbot.waitSignal(session.source_changed):
        work.opening.begin("some.keras")
    assert reader.bodies(OpenModel) == [OpenModel(path="some.keras")]
    qtbot.waitUntil(lambda: session.plan is not None)
    assert [body.source.path for body in engine.bodies(SetSource)] == ["some.keras"]


def test_that_the_engine_waits_until_the_first_file_is_read(
    work: Work, qtbot: QtBot, session: Session, reader: FakeWorker, engine: FakeWorker
) -> None:
    reader.hold = True
    work.opening.begin("some.keras")
    work.start()
    assert not engine.alive
    reader.hold = False
    qtbot.waitUntil(lambda: work.processes.engine_state == "ready")
    assert isinstance(engine.sent[0], Warm)


def test_that_a_file_that_cannot_be_read_is_one_sentence_and_the_old_one_stays(
    work: Work, qtbot: QtBot, ready: Session, reader: FakeWorker
) -> None:
    reader.files["bad.keras"] = FileError("bad.keras is not a model.", code="file.damaged")
    with qtbot.waitSignal(ready.problem) as said:
        work.opening.begin("bad.keras")
    assert said.args is not None
    assert said.args[0] == "bad.keras is not a model."
    assert ready.source == source()


def test_that_a_gesture_makes_a_plan_and_undo_takes_it_back(qtbot: QtBot, ready: Session) -> None:
    resize(ready, 64)
    qtbot.waitUntil(lambda: not ready.planning)
    assert ready.plan is not None
    assert ready.plan.inputs[0].shape == (None, 64, 64, 3)
    ready.undo_stack.undo()
    qtbot.waitUntil(lambda: not ready.planning)
    assert ready.recipe == Recipe()
    assert ready.plan == ready.base
    ready.undo_stack.redo()
    qtbot.waitUntil(lambda: not ready.planning)
    assert ready.plan.inputs[0].shape == (None, 64, 64, 3)


def test_that_every_recipe_is_asked_for_at_once_so_that_it_ends_the_planning_of_the_one_before(
    qtbot: QtBot, ready: Session, engine: FakeWorker
) -> None:
    engine.hold = True
    for size in (64, 65, 66, 67):
        resize(ready, size)
    assert [steps(body.recipe)[0].shape[0] for body in engine.bodies(MakePlan)] == [64, 65, 66, 67]
    engine.hold = False
    qtbot.waitUntil(lambda: not ready.planning)
    assert ready.plan is not None
    assert ready.plan.inputs[0].shape == (None, 67, 67, 3)


def test_that_a_recipe_without_steps_needs_no_plan_and_what_is_under_way_is_not_shown(
    qtbot: QtBot, ready: Session, engine: FakeWorker
) -> None:
    engine.hold = True
    resize(ready, 64)
    ready.undo_stack.undo()
    assert not ready.planning
    assert ready.plan == ready.base
    engine.hold = False
    resize(ready, 65)
    qtbot.waitUntil(lambda: not ready.planning)
    assert ready.plan is not None
    assert ready.plan.inputs[0].shape == (None, 65, 65, 3)


def test_that_no_plan_older_than_the_recipe_is_ever_shown(qtbot: QtBot, ready: Session, engine: FakeWorker) -> None:
    shown: list[object] = []
    ready.plan_changed.connect(lambda: shown.append((ready.plan, ready.recipe)))
    engine.hold = True
    resize(ready, 64)
    resize(ready, 128)
    engine.hold = False
    qtbot.waitUntil(lambda: not ready.planning)
    assert len(shown) == 1


def test_that_a_burst_of_typing_is_one_step_of_undo(ready: Session) -> None:
    for size in (1, 12, 128):
        resize(ready, size, burst="input")
    assert ready.undo_stack.count() == 1
    ready.undo_stack.undo()
    assert ready.recipe == Recipe()


def test_that_a_burst_that_ends_where_it_began_is_no_step(ready: Session) -> None:
    resize(ready, 12, burst="input")
    resize(ready, 96, burst="input")
    assert ready.undo_stack.count() == 0
    assert ready.recipe == Recipe()


def test_that_typing_after_an_undo_is_a_step_of_its_own(ready: Session) -> None:
    resize(ready, 64, burst="input")
    ready.end_burst()
    resize(ready, 128, burst="input")
    ready.undo_stack.undo()
    resize(ready, 160, burst="input")
    assert ready.undo_stack.count() == 2
    ready.undo_stack.undo()
    assert steps(ready.recipe)[0].shape[0] == 64


def test_that_a_refused_recipe_is_kept_and_its_sentence_known(qtbot: QtBot, ready: Session, engine: FakeWorker) -> None:
    engine.refuse = RecipeError("Edit 1: no such input.", edit=1)
    resize(ready, 64)
    qtbot.waitUntil(lambda: ready.refusal is not None)
    assert ready.refusal is not None
    assert ready.refusal.message == "Edit 1: no such input."
    assert ready.plan == ready.base
    engine.refuse = None
    resize(ready, 65)
    qtbot.waitUntil(lambda: not ready.planning)
    assert ready.refusal is None


def test_that_an_engine_that_dies_is_started_again_and_says_so(
    work: Work, qtbot: QtBot, ready: Session, engine: FakeWorker
) -> None:
    engine.hold = True
    resize(ready, 64)
    engine.die(OwnFault("The engine process ended unexpectedly."))
    engine.hold = False
    qtbot.waitUntil(lambda: ready.refusal is not None)
    assert engine.alive
    assert steps(ready.recipe)
    qtbot.waitUntil(lambda: work.processes.engine_state == "ready")


def test_that_an_engine_that_dies_again_and_again_is_left_alone(
    work: Work, qtbot: QtBot, session: Session, engine: FakeWorker
) -> None:
    engine.hold = True
    work.start()
    for _ in range(5):
        engine.die(OwnFault("The engine process ended unexpectedly."))
        work.processes.helpers.engine.poll()
    assert work.processes.engine_state == "failed"
    assert len(engine.bodies(Warm)) == 3


def test_that_a_cancelled_export_ends_the_engine_and_a_new_one_warms_up(
    work: Work, qtbot: QtBot, ready: Session, engine: FakeWorker
) -> None:
    engine.hold = True
    work.exporting.begin("out.keras", verify=True)
    with qtbot.waitSignal(work.exporting.failed) as failed:
        work.exporting.cancel()
    assert failed.args is not None
    assert isinstance(failed.args[0], Cancelled)
    assert engine.restarts == 1
    engine.hold = False
    qtbot.waitUntil(lambda: work.processes.engine_state == "ready")
    assert not work.exporting.path


def test_that_an_export_reports_progress_and_its_end(
    work: Work, qtbot: QtBot, ready: Session, engine: FakeWorker
) -> None:
    engine.hold = True
    heard: list[tuple[str, float]] = []
    work.exporting.progress.connect(lambda stage, fraction: heard.append((stage, fraction)))
    work.exporting.begin("out.keras", verify=False)
    engine.progress("writing", 0.5)
    qtbot.waitUntil(lambda: heard == [("writing", 0.5)])
    engine.hold = False
    with qtbot.waitSignal(work.exporting.finished):
        pass
    assert engine.bodies(Apply) == [Apply(recipe=Recipe(), out="out.keras", verify=False)]


def test_that_a_change_during_an_export_is_planned_afterwards(
    work: Work, qtbot: QtBot, ready: Session, engine: FakeWorker
) -> None:
    engine.hold = True
    work.exporting.begin("out.keras", verify=False)
    resize(ready, 64)
    assert engine.bodies(MakePlan) == []
    engine.hold = False
    qtbot.waitUntil(lambda: not ready.planning)
    assert ready.plan is not None
    assert ready.plan.inputs[0].shape == (None, 64, 64, 3)


def test_that_closing_forgets_the_model_and_its_recipe(ready: Session) -> None:
    resize(ready, 64)
    ready.close_source()
    assert ready.source is None
    assert ready.plan is None
    assert ready.recipe == Recipe()
    assert ready.undo_stack.count() == 0


def test_that_an_idle_session_polls_nothing(work: Work, qtbot: QtBot, ready: Session) -> None:
    qtbot.waitUntil(lambda: not ready.planning and not work.processes.engine.busy)
    qtbot.waitUntil(lambda: not work.processes.helpers.engine._timer.isActive())


def test_that_a_session_that_ends_keeps_no_undo_commands(work: Work, ready: Session) -> None:
    """Garbage collection of a stack that still holds Python's commands ends the process (found with PySide6 6.11)."""
    resize(ready, 64)
    resize(ready, 128)
    work.stop()
    assert ready.undo_stack.count() == 0
    assert ready.recipe.edits
