"""Somebody who uses the window at random, but by a seed: the deeds, by mouse and by keyboard."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

from PySide6.QtCore import QByteArray, QMimeData, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QInputMethodEvent,
    QKeySequence,
    QWheelEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QMessageBox,
    QWidget,
)

from core.service.client import Worker
from gui.models.addable import MIME
from gui.page import Page
from gui.widgets.sheet import Sheet
from gui.window import MainWindow
from gui.windows import Windows

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
COPY = Qt.DropAction.CopyAction
ARROWS = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Left, Qt.Key.Key_Right)
TEXTS = (
    "1", "2", "3", "4", "5", "8", "16", "24", "32", "48", "64", "0", "-1", "0.5", "", "abc", "conv*", "*, !dense*",
    "relu", "a name with spaces", "48, 48", "[1, 2]", "{", "\u00e9\u4e2d",
)  # fmt: skip
SEARCHES = ("conv", "dense", "frozen", "adapted", "mismatch", "/b.*n/", "/(/", "3, 3", "relu", "no such layer", "*")
SHEETS = (
    "help", "keys", "presets", "transfer", "join", "add_layer", "preferences", "new_application", "save_weights",
    "save_report", "show_values", "rename_layer", "define_class", "stored_code", "picture", "verify", "verify_mine",
    "export", "open", "open_folder", "open_weights", "load_recipe", "save_recipe", "save_script", "log",
)  # fmt: skip
"""Commands that open a sheet or a file dialog."""
QUIET = (
    "before", "after", "difference", "zoom_in", "zoom_out", "fit", "next_finding", "previous_finding", "go_layers",
    "go_graph", "go_edit", "go_findings", "go_recipe", "go_log", "toggle_layers", "toggle_side", "toggle_strip",
    "reset_layout", "sort_model", "sort_name", "sort_number", "copy_picture", "copy_recipe", "copy_command", "reload",
    "clear_recipe", "find_next", "find_previous",
)  # fmt: skip
"""Commands that are done at once."""
COLOURS = ("class", "fate", "frozen", "params", "macs", "activations", "drift")
MANY = ("freeze_these", "freeze_up_to", "freeze_from", "unfreeze_these", "unfreeze_up_to", "unfreeze_from")
LAYERS = ("ReLU", "Dropout", "BatchNormalization", "Conv2D", "Dense", "Flatten", "LSTM", "Concatenate")
MOST_PAGES = 6
MOST_WINDOWS = 3
POPUP_MS = 120


class Person:
    """Does one thing after another to the windows of the program; `act` says in words what it was."""

    def __init__(
        self, windows: Windows, seed: int, files: list[Path], folder: Path, workers: dict[str, Worker]
    ) -> None:
        self.windows, self.files, self.folder, self.workers = windows, files, folder, workers
        self.random = Random(seed)
        self.working = False
        """Whether a job was left at work on purpose, so that nobody waits for its end."""
        self._made = 0
        self._popup_keys: list[Qt.Key] = []
        self._popup_turns = 0
        self._popups = QTimer()
        self._popups.setInterval(POPUP_MS)
        self._popups.timeout.connect(self._answer_popup)
        self._popups.start()
        self._deeds: tuple[tuple[int, Callable[[], str]], ...] = (
            (8, self.open_file),
            (14, self.type_in_panel),
            (12, self.click_in_panel),
            (8, self.choose_in_panel),
            (10, self.undo_or_redo),
            (8, self.change_tab),
            (3, self.close_tab),
            (2, self.change_window),
            (6, self.fold),
            (5, self.colour),
            (6, self.find),
            (7, self.use_palette),
            (6, self.select_many),
            (8, self.drag_layer),
            (12, self.use_sheet),
            (6, self.quiet_command),
            (5, self.click_graph),
            (4, self.click_tree),
            (4, self.use_layer_menu),
            (4, self.click_anything),
            (3, self.press_keys),
            (4, self.export),
            (2, self.kill_helper),
            (2, self.change_size_or_theme),
        )

    def stop(self) -> None:
        """Nothing is done any more."""
        self._popups.stop()

    def act(self) -> str:
        """Do one thing."""
        self.working = False
        self._popup_keys = [*[Qt.Key.Key_Down] * self.random.randrange(4)]
        self._popup_keys.append(self.random.choice((Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Escape)))
        self._popup_turns = 0
        if not self.has_model() and self.random.random() < 0.4:
            return f"open_file: {self.open_file()}"
        deed = self.random.choices([one for _, one in self._deeds], [weight for weight, _ in self._deeds])[0]
        return f"{deed.__name__}: {deed()}"

    def do(self, name: str) -> str:
        """Do a thing by its name."""
        return str(getattr(self, name)())

    # what there is

    @property
    def window(self) -> MainWindow:
        """The window in front."""
        active = [one for one in self.windows.all if one.isActiveWindow()]
        return (active or self.windows.all[-1:])[0]

    @property
    def page(self) -> Page:
        """The document in front."""
        return self.window.page

    def has_model(self) -> bool:
        """Whether a model is open and its panels can be seen."""
        return self.page.session.source is not None and self.page.workspace.isVisible()

    def sheets(self) -> list[Sheet]:
        """The sheets that can be seen over the document in front."""
        return [one for one in self.page.findChildren(Sheet) if one.isVisible()]

    def _visible(self, area: QWidget, *kinds: type[QWidget]) -> list[QWidget]:
        found = [one for one in area.findChildren(QWidget) if isinstance(one, kinds)]
        return [one for one in found if one.isEnabled() and self._place(one) is not None]

    def _place(self, widget: QWidget) -> QPoint | None:
        """Where the mouse can hit a widget; `None` where it is hidden or covered."""
        if not widget.isVisible():
            return None
        region = widget.visibleRegion()
        if region.isEmpty():
            return None
        place = region.boundingRect().center()
        if isinstance(widget, QAbstractButton) and widget.isCheckable():
            place.setX(min(region.boundingRect().left() + 8, place.x()))
        top = widget.window()
        hit: QWidget | None = top.childAt(widget.mapTo(top, place))
        return place if hit is widget or (hit is not None and widget.isAncestorOf(hit)) else None

    # hands

    def _key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
        target = QApplication.focusWidget()
        if target is None:
            self.window.activateWindow()
            inside: QWidget | None = self.window.focusWidget()
            target = inside if inside is not None else self.window
        QTest.keyClick(target, key, modifier)

    def _type(self, text: str) -> None:
        for letter in text:
            target = QApplication.focusWidget()
            if target is not None and letter.isascii():
                QTest.keyClicks(target, letter)
            elif target is not None:
                composed = QInputMethodEvent()
                composed.setCommitString(letter)
                QApplication.sendEvent(target, composed)

    def command(self, name: str) -> bool:
        """Press the keys of a command; whether it has some and can be done now."""
        action: QAction = self.page.actions_[name]
        keys = action.shortcut()
        if not action.isEnabled() or keys.isEmpty():
            return False
        at = QApplication.focusWidget()
        target = at if at is not None else self.window
        QTest.keySequence(target, QKeySequence(keys))
        return True

    def click(self, widget: QWidget, modifier: Qt.KeyboardModifier = NONE) -> bool:
        """Click on a widget if the mouse can reach it."""
        place = self._place(widget)
        if place is None or not widget.isEnabled():
            return False
        QTest.mouseClick(widget, LEFT, modifier, place)
        return True

    def _fill(self, field: QLineEdit, text: str) -> None:
        if not self.click(field) or field.isReadOnly():
            return
        self._key(Qt.Key.Key_A, CTRL)
        self._type(text)
        self._key(self.random.choice((Qt.Key.Key_Return, Qt.Key.Key_Return, Qt.Key.Key_Tab)))

    def _choose(self, box: QWidget) -> str:
        box.setFocus()
        steps = self.random.randrange(-4, 5)
        for _ in range(abs(steps)):
            self._key(Qt.Key.Key_Down if steps > 0 else Qt.Key.Key_Up)
        if self.random.random() < 0.3:
            self._key(Qt.Key.Key_Return)
        return f"{name_of(box)} by {steps}"

    def _answer_popup(self) -> None:
        """Menus and lists that came up get some keys, then Escape."""
        popup = QApplication.activePopupWidget()
        if popup is None:
            return
        self._popup_turns += 1
        key = self._popup_keys.pop(0) if self._popup_keys else Qt.Key.Key_Escape
        if self._popup_turns > 20:
            popup.close()
            return
        QTest.keyClick(popup, key)

    def _new_path(self, ending: str) -> str:
        self._made += 1
        return str(self.folder / f"result_{self._made}{ending}")

    # deeds

    def open_file(self) -> str:
        path = self.random.choice(self.files)
        if len(self.window.documents) > MOST_PAGES:
            self.close_tab()
        if self.random.random() < 0.3 and len(self.window.documents) <= MOST_PAGES:
            self.command("new_tab")
        self.window.open_paths([str(path)])
        return path.name

    def _show_panel(self) -> QWidget | None:
        if not self.has_model():
            return None
        tabs = self.page.workspace.tabs
        bar = tabs.tabBar()
        if not bar.isVisible():
            self.command("toggle_side")
        elif self.random.random() < 0.7:
            index = self.random.randrange(tabs.count())
            QTest.mouseClick(bar, LEFT, NONE, bar.tabRect(index).center())
        QApplication.processEvents()
        areas = [tabs.currentWidget(), self.page.workspace.inspector, self.page.workspace.findings]
        return self.random.choices([*areas, self.page.workspace.recipe], (8, 2, 2, 1))[0]

    def type_in_panel(self) -> str:
        panel = self._show_panel()
        fields = self._visible(panel, QLineEdit) if panel is not None else []
        if not fields:
            return "nothing to type in"
        field, text = self.random.choice(fields), self.random.choice(TEXTS)
        assert isinstance(field, QLineEdit)
        words = f"{text!r} in {name_of(field)}"
        self._fill(field, text)
        return words

    def click_in_panel(self) -> str:
        panel = self._show_panel()
        return self._click_one(panel) if panel is not None else "no panel"

    def _click_one(self, area: QWidget) -> str:
        buttons = self._visible(area, QAbstractButton)
        if not buttons:
            return "no button"
        button = self.random.choice(buttons)
        words = name_of(button)
        self.click(button)
        return words

    def choose_in_panel(self) -> str:
        panel = self._show_panel()
        boxes = self._visible(panel, QComboBox) if panel is not None else []
        return (
            self._choose(self.random.choice(boxes))
            if boxes
            else f"nothing to choose in {name_of(panel) if panel else None}"
        )

    def undo_or_redo(self) -> str:
        name, times = self.random.choice(("undo", "undo", "redo")), self.random.randrange(1, 4)
        for _ in range(times):
            self.command(name)
        return f"{name} {times}"

    def change_tab(self) -> str:
        names = ("next_tab", "previous_tab", "tab_1", "tab_2", "tab_9", "tab_left", "tab_right", "new_tab")
        name = self.random.choice(names)
        if name == "new_tab" and len(self.window.documents) > MOST_PAGES:
            name = "next_tab"
        return name if self.command(name) else f"{name} cannot be done"

    def close_tab(self) -> str:
        name = self.page.tab().name
        self.command("close")
        QApplication.processEvents()
        answer = ""
        for sheet in self.sheets():
            if sheet.property("sheet") == "unsaved":
                wanted = self.random.choice(("Discard", "Discard", "Cancel"))
                buttons = [one for one in sheet.findChildren(QAbstractButton) if one.text() == wanted]
                answer = f", {wanted}" if buttons and self.click(buttons[0]) else ", not answered"
        return name + answer

    def change_window(self) -> str:
        if len(self.windows.all) >= MOST_WINDOWS:
            window = self.windows.all[-1]
            for page in window.documents:
                page.unsaved.forget()
            window.close()
            self.windows.all[-1].activateWindow()
            return "close"
        name = self.random.choice(("new_window", "detach_tab"))
        return name if self.command(name) else f"{name} cannot be done"

    def fold(self) -> str:
        name = self.random.choice(("fold_all", "unfold_all", "double click"))
        if name != "double click":
            self.command(name)
            return name
        return self._on_node(lambda view, place: QTest.mouseDClick(view, LEFT, NONE, place))

    def colour(self) -> str:
        name = f"colour_{self.random.choice(COLOURS)}"
        self.command(name)
        return name

    def find(self) -> str:
        text = self.random.choice(SEARCHES)
        if not self.command("find"):
            return "cannot be done"
        self._key(Qt.Key.Key_A, CTRL)
        self._type(text)
        for _ in range(self.random.randrange(3)):
            self._key(self.random.choice((Qt.Key.Key_Return, Qt.Key.Key_F3)))
        if self.random.random() < 0.6:
            self._key(Qt.Key.Key_Escape)
        return text

    def use_palette(self) -> str:
        texts = (
            "undo",
            "colour by",
            "freeze",
            "conv",
            "fold",
            "view",
            "insert",
            "remove",
            "tab",
            "fit",
            "rename",
            "zz",
        )
        text, end = self.random.choice(texts), self.random.choice((Qt.Key.Key_Return, Qt.Key.Key_Escape))
        if not self.command("palette"):
            return "cannot be done"
        self._type(text)
        for _ in range(self.random.randrange(4)):
            self._key(Qt.Key.Key_Down)
        self._key(end)
        return f"{text!r} {end.name}"

    def select_many(self) -> str:
        if not self.has_model():
            return "no model"
        how = self.random.choice(("select_all", "tree", "band", "select_none"))
        if how == "tree":
            tree = self.page.workspace.layers.tree
            if tree.isVisible():
                tree.setFocus()
                for _ in range(self.random.randrange(8)):
                    self._key(Qt.Key.Key_Down)
                for _ in range(self.random.randrange(8)):
                    self._key(Qt.Key.Key_Down, SHIFT)
        elif how == "band":
            view = self.page.workspace.canvas.view.viewport()
            first, last = self._somewhere(view), self._somewhere(view)
            QTest.mousePress(view, LEFT, SHIFT, first)
            QTest.mouseMove(view, (first + last) / 2)
            QTest.mouseMove(view, last)
            QTest.mouseRelease(view, LEFT, SHIFT, last)
        else:
            self.command(how)
        then = self.random.choice((*MANY, ""))
        if then:
            self.command(then)
        return f"{how}, {then or 'nothing'}"

    def _somewhere(self, widget: QWidget) -> QPoint:
        return QPoint(
            self.random.randrange(4, max(widget.width() - 4, 6)), self.random.randrange(4, max(widget.height() - 4, 6))
        )

    def _on_node(self, act: Callable[[QWidget, QPoint], object]) -> str:
        if not self.has_model():
            return "no model"
        canvas = self.page.workspace.canvas
        nodes = canvas.scene.nodes
        if not nodes:
            return "no nodes"
        node = self.random.choice(list(nodes))
        place = canvas.view.mapFromScene(node.x + 20, node.y + min(node.height / 2, 14))
        if not canvas.view.viewport().rect().contains(place):
            place = self._somewhere(canvas.view.viewport())
        path = node.path
        act(canvas.view.viewport(), place)
        return f"{path or 'a block'}"

    def click_graph(self) -> str:
        modifier = self.random.choice((NONE, NONE, CTRL, SHIFT))
        words = self._on_node(lambda view, place: QTest.mouseClick(view, LEFT, modifier, place))
        if self.has_model() and self.random.random() < 0.5:
            self.page.workspace.canvas.view.setFocus()
            keys = (
                Qt.Key.Key_Down,
                Qt.Key.Key_Up,
                Qt.Key.Key_Left,
                Qt.Key.Key_Right,
                Qt.Key.Key_Return,
                Qt.Key.Key_Delete,
            )
            keys_pressed = [self.random.choice(keys) for _ in range(self.random.randrange(5))]
            for key in keys_pressed:
                self._key(key)
            words += f" {[key.name for key in keys_pressed]}"
            self._wheel()
        return words

    def _wheel(self) -> None:
        view = self.page.workspace.canvas.view.viewport()
        place = self._somewhere(view)
        turn = QPoint(0, self.random.choice((-240, -120, 120, 240)))
        event = QWheelEvent(
            QPointF(place), QPointF(view.mapToGlobal(place)), QPoint(), turn, Qt.MouseButton.NoButton,
            self.random.choice((NONE, CTRL)), Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(view, event)

    def click_tree(self) -> str:
        if not self.has_model():
            return "no model"
        workspace = self.page.workspace
        views: tuple[QAbstractItemView, ...] = (workspace.layers.tree, workspace.findings.view, workspace.recipe.view)
        seen = [one for one in views if one.isVisible() and one.isEnabled()]
        if not seen:
            return "nothing shown"
        view = self.random.choice(seen)
        place = self._somewhere(view.viewport())
        modifier = self.random.choice((NONE, NONE, SHIFT, CTRL))
        click = self.random.choice((QTest.mouseClick, QTest.mouseClick, QTest.mouseDClick))
        click(view.viewport(), LEFT, modifier, place)
        for _ in range(self.random.randrange(4)):
            self._key(
                self.random.choice(
                    (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Space)
                )
            )
        return name_of(view)

    def use_layer_menu(self) -> str:
        if not self.has_model() or not self.page.workspace.layers.tree.isVisible():
            return "no tree"
        tree = self.page.workspace.layers.tree
        tree.setFocus()
        for _ in range(self.random.randrange(10)):
            self._key(Qt.Key.Key_Down)
        self._key(Qt.Key.Key_F10, SHIFT)
        popup = QApplication.activePopupWidget()
        if popup is None:
            return "no menu"
        for _ in range(self.random.randrange(14)):
            QTest.keyClick(popup, Qt.Key.Key_Down)
        QTest.keyClick(popup, self.random.choice((Qt.Key.Key_Return, Qt.Key.Key_Return, Qt.Key.Key_Escape)))
        return self.page.session.selection

    def drag_layer(self) -> str:
        if not self.has_model():
            return "no model"
        workspace, name = self.page.workspace, self.random.choice(LAYERS)
        canvas = workspace.canvas
        view = canvas.view.viewport()
        place = self._somewhere(view)
        edges = [edge for node in canvas.scene.nodes for edge in canvas.scene.edges_of(node)[1] if len(edge.points) > 1]
        where = "somewhere"
        if edges and self.random.random() < 0.8:
            edge = self.random.choice(edges)
            (x1, y1), (x2, y2) = edge.points[:2]
            at = canvas.view.mapFromScene(QPointF((x1 + x2) / 2, (y1 + y2) / 2))
            if view.rect().contains(at):
                place, where = at, f"after {edge.source.path}"
        data = QMimeData()
        data.setData(MIME, QByteArray(name.encode()))
        QApplication.sendEvent(view, QDragEnterEvent(place, COPY, data, LEFT, NONE))
        QApplication.sendEvent(view, QDragMoveEvent(place, COPY, data, LEFT, NONE))
        if self.random.random() < 0.2:
            QApplication.sendEvent(view, QDragLeaveEvent())
            return f"{name} {where}, away again"
        QTest.qWait(60)  # the verdict may come from the engine
        QApplication.sendEvent(view, QDropEvent(QPointF(place), COPY, data, LEFT, NONE))
        return f"{name} {where}"

    def use_sheet(self) -> str:
        name = self.random.choice(SHEETS)
        if name == "log":
            self.command("go_log")
        elif not self.command(name):
            return f"{name} cannot be done"
        QTest.qWait(20)
        return f"{name} {', '.join(self._poke())}"

    def _poke(self) -> list[str]:
        done = []
        for _ in range(self.random.randrange(5)):
            sheets = self.sheets()
            if not sheets or self._dialogs():
                break
            parts = self._visible(sheets[-1], QAbstractButton, QLineEdit, QComboBox)
            # building an architecture takes minutes, and fetches weights from the net
            parts = [
                one
                for one in parts
                if not (sheets[-1].property("sheet") == "gallery" and one.objectName() == "primary")
            ]
            if not parts:
                break
            one = self.random.choice(parts)
            done.append(name_of(one))
            if isinstance(one, QLineEdit):
                self._fill(one, self.random.choice(TEXTS))
            elif isinstance(one, QComboBox):
                self._choose(one)
            else:
                self.click(one)
            QTest.qWait(10)
        return done

    def quiet_command(self) -> str:
        name = self.random.choice(QUIET)
        return name if self.command(name) else f"{name} cannot be done"

    def click_anything(self) -> str:
        return self._click_one(self.page)

    def press_keys(self) -> str:
        keys = (
            Qt.Key.Key_Tab,
            Qt.Key.Key_Space,
            Qt.Key.Key_Down,
            Qt.Key.Key_Escape,
            Qt.Key.Key_Backtab,
            Qt.Key.Key_Return,
        )
        pressed = [self.random.choice(keys) for _ in range(self.random.randrange(1, 8))]
        for key in pressed:
            if self._dialogs():
                break
            self._key(key)
        return ", ".join(key.name for key in pressed)

    def export(self) -> str:
        if not self.has_model() or self.page.session.hindrance or self.page.work.busy:
            return "nothing to export"
        ending = self.random.choice((".keras", ".keras", ".h5", ".weights.h5"))
        self.page.export_to(self._new_path(ending))
        after = self.random.choice(("wait", "wait", "cancel", "hide", "kill", "close"))
        if after != "wait":
            QTest.qWait(self.random.randrange(1500))
        if after == "cancel":
            self.click(self.page.exporting.sheet.cancel)
        elif after == "hide":
            self._key(Qt.Key.Key_Escape)
            self.working = self.random.random() < 0.5
        elif after == "kill":
            self._kill("engine")
        elif after == "close":
            self.close_tab()
        return f"{ending}, {after}"

    def kill_helper(self) -> str:
        return self._kill(self.random.choice(("engine", "engine", "reader")))

    def _kill(self, kind: str) -> str:
        worker = self.workers.get(kind)
        if worker is None or worker.pid is None or not worker.alive or self.windows.helpers.engine_state != "ready":
            return f"no {kind} to kill"
        os.kill(worker.pid, signal.SIGKILL)
        return kind

    def change_size_or_theme(self) -> str:
        if self.random.random() < 0.5:
            size = self.random.choice(((1440, 900), (1024, 700), (880, 560), (1700, 950)))
            self.window.resize(*size)
            return str(size)
        theme = self.random.choice(("light", "dark"))
        self.page.settings.theme = theme
        self.windows.theme_chosen.emit(theme)
        return theme

    # what is in the way afterwards

    def _dialogs(self) -> list[QWidget]:
        return [
            one
            for one in QApplication.topLevelWidgets()
            if isinstance(one, (QFileDialog, QMessageBox)) and one.isVisible()
        ]

    def answer_dialogs(self) -> str:
        """Answer file dialogs: with a file, or with Escape."""
        answers = []
        for dialog in self._dialogs():
            field = dialog.findChild(QLineEdit, "fileNameEdit")
            if isinstance(dialog, QFileDialog) and isinstance(field, QLineEdit) and self.random.random() < 0.6:
                saves = dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
                ending = Path(field.text()).suffix or ".out"
                path = self._new_path(ending) if saves else str(self.random.choice(self.files))
                field.setFocus()
                field.setText(path)
                QTest.keyClick(field, Qt.Key.Key_Return)
                answers.append(Path(path).name)
                QApplication.processEvents()
            if dialog in self._dialogs():
                QTest.keyClick(dialog, Qt.Key.Key_Escape)
                answers.append("Escape")
        return ", ".join(answers)

    def leave_sheets(self) -> None:
        """Press Escape until no sheet has the keyboard any more."""
        for _ in range(6):
            at = QApplication.focusWidget()
            held = at is not None and any(sheet is at or sheet.isAncestorOf(at) for sheet in self.sheets())
            if not held and not any(sheet.asks for sheet in self.sheets()):
                return
            self._key(Qt.Key.Key_Escape)
            QApplication.processEvents()


def name_of(widget: QWidget) -> str:
    """What a person would call a widget."""
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return f"{type(widget).__name__} {text or widget.accessibleName() or widget.objectName() or widget.toolTip()!r}"
