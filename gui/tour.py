"""The tour: the real window goes through the whole job on the samples, and leaves pictures, models and numbers.

It types and clicks like a person. Each step is a condition to wait for, so nothing here blocks the event loop.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QApplication, QLineEdit, QPushButton

from core.errors import FileError, SutureError
from core.recipes import gestures
from core.recipes.recipe import Recipe, to_json
from gui.app import Painter, build
from gui.document.session import Session
from gui.document.settings import Settings
from gui.panels.welcome import samples
from gui.widgets import theme as themes
from gui.widgets.fields import Choice
from gui.window import SIZE, MainWindow

Say = Callable[[str], None]
Condition = Callable[[], bool]
Steps = Generator[Condition, None, None]

ROOT = Path(__file__).parents[1]
SMALL = (1024, 700)
SCALE = "SUTURE_TOUR_SCALE"
"""Set for the process that plays the key scenes on a screen of more pixels: the folder for its pictures."""
PATIENCE = 180.0
TURN_MS = 15
REST = 0.6
SETTLE = 0.2


class Runner(QObject):
    """Goes on with the steps whenever the condition they wait for holds."""

    def __init__(self, app: QApplication, steps: Steps) -> None:
        super().__init__(app)
        self._app, self._steps = app, steps
        self.error: BaseException | None = None
        self._condition: Condition = lambda: True
        self._until = time.monotonic() + PATIENCE
        self._timer = QTimer(self)
        self._timer.setInterval(TURN_MS)
        self._timer.timeout.connect(self._turn)
        self._timer.start()

    @Slot()
    def _turn(self) -> None:
        try:
            if self._condition():
                self._condition = next(self._steps)
                self._until = time.monotonic() + PATIENCE
            elif time.monotonic() > self._until:
                self.error = SutureError(f"The window did not respond within {PATIENCE:.0f} seconds.")
                self._end()
        except StopIteration:
            self._end()
        except Exception as error:  # noqa: BLE001 - Qt would swallow it; the one who started the tour raises it
            self.error = error
            self._end()

    def _end(self) -> None:
        self._timer.stop()
        # `quit` would close the window first, which asks about an unsaved recipe and stays open
        self._app.exit()


class Tour:
    """The window in the hands of the tour."""

    def __init__(self, folder: Path, say: Say, window: MainWindow, painter: Painter, scale: str = "") -> None:
        """With a `scale` only the key scenes are played, and their pictures lie in a folder named after it."""
        self.folder, self.say, self.window, self.painter = folder, say, window, painter
        self.pictures = folder / scale if scale else folder
        self.samples = {path.stem: path for path in samples()}
        self._pictures = 0

    @property
    def session(self) -> Session:
        """The document in front: a file that is opened beside an edited one gets a tab of its own."""
        return self.window.session

    def steps(self) -> Steps:
        """The whole job."""
        yield from self.look("welcome", "a window, before any model", SMALL)
        yield from self.opened(SMALL)
        yield from self.gray()
        yield from self.stem()
        yield from self.again()
        yield from self.mismatch(SMALL)
        yield from self.fixed()
        yield from self.nested(SMALL)
        yield from self.coloured()
        yield from self.found()
        yield from self.accuracy()

    def scenes(self) -> Steps:
        """What there is to see without writing anything."""
        yield from self.look("welcome", "a window, before any model")
        yield from self.opened()
        yield from self.mismatch()
        yield from self.nested()

    # the job

    def opened(self, *sizes: tuple[int, int]) -> Steps:
        """A model as it is in its file."""
        yield from self.open_sample("digits_residual")
        self.session.select("stage2_conv1")
        self.window.workspace.inspector.weights.choose("kernel")
        yield from self.look("opened", "a residual network with its layers, graph and weights", *sizes)

    def gray(self) -> Steps:
        """From colour to gray by summing, and out into a file."""
        self.tab("Input")
        row = self.window.workspace.input.rows[0]
        self.choose(row.channels.rule, "sum")
        yield from self.type(row.fields[-1], "1")
        self.choose(row.channels.rule, "sum")
        self.session.select("stem_conv")
        yield from self.look("gray", "one input channel instead of three: the kernel is summed, the rest is copied")
        yield from self.export("gray.keras")
        yield from self.look("verified", "written, and checked by Keras")
        self.click(self.window.exporting.sheet.done_button)
        (self.folder / "recipe.json").write_text(to_json(self.session.recipe), encoding="utf-8")

    def stem(self) -> Steps:
        """Another first convolution, and freezing."""
        self.tab("Stem")
        panel = self.window.workspace.stem
        yield from self.type(panel.form.number("filters"), "24")
        for field in panel.form.numbers("kernel_size")[:2]:
            yield from self.type(field, "5")
        self.click(panel.form.box("batch_norm"))
        yield from self.look("stem", "24 filters of 5x5 and BatchNormalization, projected back to the old width")
        self.tab("Freeze")
        self.click(self.button("All but the head"))
        yield self.planned
        yield from self.look("freeze", "everything frozen but the head")
        self.window.actions_["difference"].trigger()
        yield from self.look("difference", "what the recipe changes")
        self.window.actions_["after"].trigger()
        yield from self.export("adapted.keras")
        self.click(self.window.exporting.sheet.done_button)

    def again(self) -> Steps:
        """The same first step with a first convolution that starts anew, to see what surgery is worth."""
        undo = self.window.actions_["undo"]
        while undo.isEnabled():
            undo.trigger()
        edits = (
            gestures.make_edit("change_input", shape=[32, 32, 1], channels="sum"),
            gestures.make_edit("set_rule", weight="stem_conv/kernel", rule="initialize"),
        )
        self.session.gesture(lambda recipe: recipe.plus(*edits), "First convolution anew")
        yield self.planned
        yield from self.export("reinitialized.keras")
        self.click(self.window.exporting.sheet.done_button)

    def mismatch(self, *sizes: tuple[int, int]) -> Steps:
        """A Dense that knows the image's size: seen before anything is built."""
        yield from self.open_sample("digits_vgg")
        self.tab("Input")
        row = self.window.workspace.input.rows[0]
        for field in row.fields[:2]:
            yield from self.type(field, "48")
        panel = self.window.workspace.findings
        error = next((one for one in self.session.findings if one.severity == "error"), None)
        if error is None or not panel.buttons:
            raise SutureError("The tour expected a mismatch at the first Dense, but found none.")
        self.point(panel.view, panel.model.index(self.session.findings.index(error)))
        words = "48x48 does not fit the Dense after Flatten: seen before anything is built"
        yield from self.look("mismatch", words, *sizes)

    def fixed(self) -> Steps:
        """The mismatch settled with one click."""
        self.click(self.window.workspace.findings.buttons[0])
        yield self.planned
        if any(one.severity == "error" for one in self.session.findings):
            raise SutureError("The tour applied the first fix, but the mismatch remained.")
        yield from self.look("fixed", f"one click: {panel_words(self.session.recipe)}")
        yield from self.export("larger.keras")
        self.click(self.window.exporting.sheet.done_button)

    def nested(self, *sizes: tuple[int, int]) -> Steps:
        """A backbone inside a Sequential: the edit goes through."""
        yield from self.open_sample("digits_nested")
        self.window.actions_["unfold_all"].trigger()
        self.tab("Input")
        yield from self.type(self.window.workspace.input.rows[0].fields[-1], "1")
        self.session.select("backbone/conv1")
        yield from self.look("nested", "inside a nested model, the first convolution follows", *sizes)

    def coloured(self) -> Steps:
        """Where the work is, in the graph and in the list."""
        self.window.actions_["colour_macs"].trigger()
        yield from self.look("coloured", "the graph coloured by multiply-accumulates, with a legend")
        self.click(self.window.workspace.canvas.legend.close_button)

    def found(self) -> Steps:
        """Layers found by a few letters, in the graph and in the list."""
        finder = self.window.top.finder
        finder.setFocus()
        QTest.keyClicks(finder, "depthwise")
        yield from self.look("found", "what is found stays in the list, the rest steps back")
        QTest.keyClick(finder, Qt.Key.Key_Escape)

    def accuracy(self) -> Steps:
        """What surgery is worth on digits that no model has seen. Keras runs in a process of its own."""
        files = {
            "residual, as trained, on colour images": self.samples["digits_residual"],
            "residual, gray by sum": self.folder / "gray.keras",
            "residual, gray by sum, 24 filters of 5x5 and BatchNormalization": self.folder / "adapted.keras",
            "residual, gray, first convolution initialized anew": self.folder / "reinitialized.keras",
            "vgg, as trained": self.samples["digits_vgg"],
            "vgg, at 48x48 with the one-click fix": self.folder / "larger.keras",
        }
        command = [sys.executable, "-m", "resources.samples.accuracy", *map(str, files.values())]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
        )
        yield lambda: process.poll() is not None
        output = process.communicate()[0]
        if process.returncode:
            raise SutureError("Keras could not run the models that the tour exported.")
        measured = dict(zip(files, json.loads(output.splitlines()[-1]), strict=True))
        lines = [f"{share:7.2%}  {name}" for name, share in measured.items()]
        self.say("Accuracy on 360 held-out digits:")
        for line in lines:
            self.say(line)
        (self.folder / "accuracy.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")

    # hands and eyes

    def planned(self) -> bool:
        """Whether the screen shows the plan of the current recipe."""
        session = self.session
        if session.refusal is not None:
            raise session.refusal
        return session.source is not None and session.plan is not None and not session.planning

    def open_sample(self, name: str) -> Steps:
        """Open a sample: by its button on the welcome page, later by its path."""
        path = self.samples.get(name)
        if path is None:
            raise FileError(f"The sample {name}.keras is missing.", path=name)
        shown = [each for each in self.window.welcome.findChildren(QPushButton) if each.toolTip() == str(path)]
        self.window.unsaved.forget()
        if shown and shown[-1].isVisible():
            self.click(shown[-1])
        else:
            self.window.open_path(str(path))
        yield lambda: self.session.source is not None and Path(self.session.source.path).samefile(path)
        yield self.planned
        # a change of theme paints every tab again, seen or not
        self.window.close_others(self.window.page)

    def export(self, name: str) -> Steps:
        """Write and verify a result; wait for the verdict."""
        answers: list[Any] = []
        self.window.work.exporting.finished.connect(answers.append)
        self.window.work.exporting.failed.connect(answers.append)
        self.window.export_to(str(self.folder / name))
        yield lambda: bool(answers)
        self.window.work.exporting.finished.disconnect(answers.append)
        self.window.work.exporting.failed.disconnect(answers.append)
        answer = answers[0]
        if isinstance(answer, SutureError):
            raise answer
        if answer.verification is None or not answer.verification.ok:
            raise SutureError(f"{name} did not pass verification.")
        self.say(f"wrote {name}, {answer.bytes:,} bytes, verified")

    def tab(self, title: str) -> None:
        """Bring an edit panel to the front."""
        self.window.workspace.show_tab(title)

    def type(self, field: QLineEdit, text: str) -> Steps:
        """Type over what a field says, and wait for the plan."""
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        yield self.planned

    def click(self, button: QAbstractButton) -> None:
        """Press and release the mouse on a button, on a check box's box."""
        at = QPoint(8, button.height() // 2) if button.isCheckable() else QPoint()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)

    def point(self, view: QAbstractItemView, index: QModelIndex) -> None:
        """Click on the beginning of an item of a list or tree."""
        at = view.visualRect(index).topLeft() + QPoint(40, 10)
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)

    def choose(self, choice: Choice, key: str) -> None:
        """Take an option of a combo box as the keyboard does."""
        choice.setCurrentIndex(choice.findData(key))
        choice.activated.emit(choice.currentIndex())

    def button(self, text: str) -> QPushButton:
        """The button with a text, in the panels around the model."""
        return next(each for each in self.window.workspace.findChildren(QPushButton) if each.text() == text)

    def look(self, name: str, words: str, *sizes: tuple[int, int]) -> Steps:
        """Take a picture in light and in dark, once everything has come to rest; then again in other sizes."""
        self._pictures += 1
        self.say(f"{self._pictures:02} {name}: {words}")
        yield from self._shoot(name, self.pictures)
        for size in sizes:
            self.window.resize(*size)
            yield from self._shoot(name, self.pictures / f"{size[0]}x{size[1]}")
        if sizes:
            self.window.resize(*SIZE)
            yield pause(SETTLE)

    def _shoot(self, name: str, folder: Path) -> Steps:
        yield pause(REST)
        for theme in (themes.DARK, themes.LIGHT):
            self.painter.use(theme)
            yield pause(SETTLE)
            path = folder / f"{self._pictures:02}-{name}-{theme.name}.png"
            folder.mkdir(exist_ok=True)
            if not self.window.grab().save(str(path)):
                raise FileError(f"{path} cannot be written; choose another folder.", path=str(path))


def pause(seconds: float) -> Condition:
    """A condition that holds after a while."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def panel_words(recipe: Recipe) -> str:
    """What the last step of a recipe does."""
    return str(recipe.edits[-1].summary())


def has_display(environment: Sequence[str] = ("DISPLAY", "WAYLAND_DISPLAY")) -> bool:
    """Whether a window can be shown to somebody here."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in environment)


def take_tour(folder: str, say: Say) -> None:
    """Drive the window through the whole job; everything it leaves goes to `folder`. Raises `SutureError`.

    The key scenes are played again in a process of its own at twice the pixels, since Qt takes its scale at its start.
    """
    out = Path(folder).absolute()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The folder {out} cannot be created ({error.strerror}).", path=str(out)) from error
    if not has_display() and "QT_QPA_PLATFORM" not in os.environ:
        say("There is no display, so the window is drawn offscreen.")
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    scale = os.environ.get(SCALE, "")
    _play(out, say, scale)
    if not scale:
        say("The key scenes once more, at scale 2:")
        _play_sharp(out)
        say(f"The pictures, the models and recipe.json are in {out}.")


def _play(out: Path, say: Say, scale: str) -> None:
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["suture"])
    with tempfile.TemporaryDirectory() as private:
        settings = Settings(Path(private, "settings.ini"))
        painter = Painter(app, settings)
        window = build(settings, painter.look)
        window.resize(*SIZE)
        window.session.problem.connect(say)
        window.first_painted.connect(window.work.start)
        window.show()
        tour = Tour(out, say, window, painter, scale)
        runner = Runner(app, tour.scenes() if scale else tour.steps())
        try:
            app.exec()
        finally:
            window.windows.stop()
            window.unsaved.forget()
            window.close()
    if runner.error is not None:
        raise runner.error


def _play_sharp(out: Path) -> None:
    # a window of 2880x1800 pixels fits few screens, so this one is drawn offscreen everywhere
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": "2", SCALE: "2x"}
    command = [sys.executable, "-m", "main", "tour", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SutureError("The key scenes could not be played at scale 2.")
