"""What each new channel is made of: an old one by name, the mean of all, zero, or weights of one's own."""

import math
from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QVBoxLayout, QWidget

from core.rules import MapChannels
from gui.widgets.fields import Choice, Debounce, PlainLine
from gui.widgets.parts import Sentence, label, named, restyle

MOST = 64
"""Channels that are edited one by one; above, a step's JSON serves."""

USUAL = {1: ("gray",), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
ARROW = "<-"


def usual_names(count: int) -> tuple[str, ...]:
    """What channels are called as long as nobody says so."""
    return USUAL.get(count) or tuple(f"b{number}" for number in range(count))


class Line(QObject):
    """One new channel: its name, where it comes from, and the weights if it is a mixture."""

    changed = Signal()
    typed = Signal()

    def __init__(self, number: int, parent: QObject) -> None:
        super().__init__(parent)
        self.name = named(PlainLine(), f"mapName_{number}")
        self.name.setAccessibleName(f"Name of new channel {number}")
        self.name.setMinimumWidth(44)
        self.source = named(Choice(f"New channel {number} comes from", ()), f"mapSource_{number}")
        self.weights = named(PlainLine(), f"mapWeights_{number}")
        self.weights.setAccessibleName(f"Weights of the old channels in new channel {number}")
        self.weights.hide()
        self._was = ""
        self.source.picked.connect(self._on_picked)
        for field in (self.name, self.weights):
            field.textEdited.connect(self.typed)

    def offer(self, names: tuple[str, ...]) -> None:
        """The old channels to choose from."""
        options = [(str(place), name, f"The old channel {name}") for place, name in enumerate(names)]
        if len(names) > 1:
            options.append(("mean", "Mean of all", "The average of all old channels"))
        options.append(("zero", "Zero", "Starts at zero; training learns to use it"))
        options.append(("weights", "Weights\u2026", "A number for each old channel"))
        self.source.set_options(options)
        self.weights.setPlaceholderText(", ".join(names))
        self.weights.setToolTip(f"A number for each old channel, in this order: {', '.join(names)}")

    def show(self, name: str, key: str, weights: str = "") -> None:
        """Show where the channel comes from; text being typed stays."""
        if not has_keyboard(self.name):
            self.name.setText(name)
        if has_keyboard(self.weights) and self.source.key == "weights":
            return  # 1, 0, 0 is a channel too, but not while someone types it
        self.source.show_key(key)
        self.weights.setText(weights)
        self._was = key
        self.weights.setVisible(key == "weights")

    @Slot(str)
    def _on_picked(self, key: str) -> None:
        count = self.source.count() - (3 if self.source.findData("mean") >= 0 else 2)
        if key == "weights" and not self.weights.text().strip():
            # what it was so far, as numbers
            plain = 0.0 if self._was == "zero" else round(1 / count, 4)
            row = [1.0 if str(place) == self._was else 0.0 for place in range(count)]
            self.weights.setText(number_words(row if self._was.isdecimal() else [plain] * count))
        self._was = key
        self.weights.setVisible(key == "weights")
        if key == "weights":
            self.weights.setFocus()
            self.weights.selectAll()
        self.changed.emit()


class MapForm(QWidget):
    """`map` for one input. `changed` when `rule` may say something else, `typed` while it is being typed."""

    changed = Signal()

    def __init__(self, old: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.old = old
        self.lines: list[Line] = []
        self._used = 0
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 2)
        column.setSpacing(5)
        column.addWidget(label("Old channels, in their order", "fieldLabel"))
        self.names = named(PlainLine(", ".join(usual_names(old))), "mapOldNames")
        self.names.setAccessibleName("Names of the old channels, in their order")
        column.addWidget(self.names)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(1, 3)
        self._grid.addWidget(label("New channel", "fieldLabel"), 0, 0)
        self._grid.addWidget(label("comes from", "fieldLabel"), 0, 1)
        column.addLayout(self._grid)
        self.share = named(QCheckBox("Divide copies"), "mapShare")
        self.share.setToolTip(
            "A channel used several times is divided by that number, so that the response to equal "
            "channels stays the same"
        )
        self.share.setChecked(True)
        column.addWidget(self.share)
        self.problem = Sentence()
        column.addWidget(self.problem)
        self._debounce = Debounce(self)
        self._debounce.fired.connect(self.changed)
        self.names.textEdited.connect(self._on_names)
        self.names.editingFinished.connect(self._debounce.flush)
        self.share.clicked.connect(self.changed)

    # rows

    @property
    def rows(self) -> list[Line]:
        """The lines of the new channels."""
        return self.lines[: self._used]

    def old_names(self) -> tuple[str, ...]:
        """The names as typed, or the usual ones where they make no sense."""
        typed = self._typed_names()
        return usual_names(self.old) if names_problem(typed, self.old) else typed

    def _typed_names(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.names.text().split(",") if part.strip())

    def set_count(self, count: int) -> None:
        """As many lines as there are new channels. New ones take the old channel of the same place, else the mean."""
        count = min(count, MOST)
        while len(self.lines) < count:
            line = Line(len(self.lines), self)
            line.changed.connect(self.changed)
            line.typed.connect(self._debounce.poke)
            for field in (line.name, line.weights):
                field.editingFinished.connect(self._debounce.flush)
            line.offer(self.old_names())
            at = 2 * len(self.lines) + 1
            self._grid.addWidget(line.name, at, 0)
            self._grid.addWidget(line.source, at, 1)
            self._grid.addWidget(line.weights, at + 1, 0, 1, 2)
            before: QWidget = self.lines[-1].weights if self.lines else self.names
            for widget in (line.name, line.source, line.weights):
                # made later than what stands below them, they would come last for the keyboard too
                QWidget.setTabOrder(before, widget)
                before = widget
            self.lines.append(line)
            self._fresh(len(self.lines) - 1)
        for number in range(self._used, count):
            self._fresh(number)
        self._used = count
        for number, line in enumerate(self.lines):
            line.name.setVisible(number < count)
            line.source.setVisible(number < count)
            line.weights.setVisible(number < count and line.source.key == "weights")

    def _fresh(self, number: int) -> None:
        names = self.old_names()
        key = str(number) if number < self.old else "mean" if self.old > 1 else "0"
        taken = [line.name.text().strip() for line in self.lines[:number]]
        name = names[number] if number < self.old else f"new{number}"
        self.lines[number].show(unique((*taken, name))[-1], key)

    @Slot()
    def _on_names(self) -> None:
        names = self._typed_names()
        if not names_problem(names, self.old):
            for line in self.lines:
                line.offer(names)
        self._debounce.poke()

    # rule

    def show_rule(self, rule: MapChannels, count: int) -> None:
        """Show what a step says."""
        typed = self._typed_names()
        names = rule.names if len(rule.names) == self.old else ()
        if names and names != typed and not has_keyboard(self.names):
            self.names.setText(", ".join(names))
            for line in self.lines:
                line.offer(names)
        self.set_count(count)
        said = said_by(rule, self.old)
        if said is None or len(said) != count:
            return
        for line, (name, key, weights) in zip(self.rows, said, strict=True):
            line.show(name or line.name.text(), key, weights)
        self.share.setChecked(shares(rule))
        self._mark("", None)

    def rule(self) -> MapChannels | None:
        """What the form says; `None` where it makes no sense, which `problem` then tells."""
        names = self._typed_names()
        problem = names_problem(names, self.old)
        if problem:
            self._mark(problem, self.names)
            return None
        rows: list[tuple[float, ...]] = []
        for line in self.rows:
            row = self._row(line)
            if row is None:
                wanted = f"{self.old} numbers, for {', '.join(names)}" if self.old > 1 else "one number"
                self._mark(f"The weights of {line.name.text().strip() or 'a channel'} are {wanted}.", line.weights)
                return None
            rows.append(row)
        self._mark("", None)
        typed = (line.name.text().replace(ARROW, "").strip() or str(at) for at, line in enumerate(self.rows))
        new_names = unique(typed)
        keys = [line.source.key for line in self.rows]
        if all(key.isdecimal() or key == "zero" for key in keys):
            take = tuple(
                f"{new} {ARROW} {names[int(key)]}" if key.isdecimal() else None
                for new, key in zip(new_names, keys, strict=True)
            )
            called = new_names if None in take else ()
            return MapChannels(take=take, names=names, share=self.share.isChecked(), new_names=called)
        if self.share.isChecked():
            counts = {key: keys.count(key) for key in keys if key.isdecimal()}
            rows = [
                tuple(value / counts[key] for value in row) if key in counts else row
                for row, key in zip(rows, keys, strict=True)
            ]
        return MapChannels(matrix_rows=tuple(rows), names=names, new_names=new_names)

    def _row(self, line: Line) -> tuple[float, ...] | None:
        key = line.source.key
        if key.isdecimal():
            return tuple(float(place == int(key)) for place in range(self.old))
        if key == "mean":
            return (1 / self.old,) * self.old
        return (0.0,) * self.old if key == "zero" else numbers(line.weights.text(), self.old)

    def _mark(self, problem: str, field: QLineEdit | None) -> None:
        self.problem.say(problem)
        for one in (self.names, *(line.weights for line in self.lines)):
            if one.property("bad") is not (one is field):
                one.setProperty("bad", one is field)
                restyle(one)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Names of which none is there twice: a later one gets a number."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        other, number = name, 2
        while other.lower() in taken:
            other, number = f"{name} {number}", number + 1
        taken.add(other.lower())
        found.append(other)
    return tuple(found)


def has_keyboard(field: QWidget) -> bool:
    """Whether what is typed goes to a field, also while another window is the active one."""
    return field.isVisible() and field.window().focusWidget() is field


def names_problem(names: tuple[str, ...], old: int) -> str:
    """What is wrong with names for so many channels."""
    if len(names) != old:
        return f"The model has {old} channels; {len(names)} are named." if old > 1 else "The model has one channel."
    if len({name.lower() for name in names}) < old:
        return "Two old channels have the same name."
    return f"A name cannot contain {ARROW}." if any(ARROW in name for name in names) else ""


def numbers(text: str, count: int) -> tuple[float, ...] | None:
    """So many finite numbers out of a text such as `0.3, 0.59, 0.11`."""
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        found = tuple(float(word) for word in words)
    except ValueError:
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def number_words(row: Any) -> str:
    """Numbers as they are typed."""
    return ", ".join(f"{value:.6g}" for value in row)


def said_by(rule: MapChannels, old: int) -> list[tuple[str, str, str]] | None:
    """For each new channel its name, the key of its source and its weights; `None` if it cannot be told."""
    lowered = [name.lower() for name in rule.names]
    called = [*rule.new_names]
    said: list[tuple[str, str, str]] = []
    if rule.take is not None:
        for place, entry in enumerate(rule.take):
            name = called[place] if place < len(called) else ""
            if isinstance(entry, str):
                new, arrow, wanted = (part.strip() for part in entry.rpartition(ARROW))
                if wanted.lower() not in lowered:
                    return None
                name, entry = name or (new if arrow else wanted), lowered.index(wanted.lower())
            said.append((name, "zero" if entry is None else str(entry), ""))
        return said
    rows = rule.matrix_rows or ()
    if any(len(row) != old for row in rows):
        return None
    share = shares(rule)
    for place, row in enumerate(rows):
        hot = single(row)
        even = 1 / sum(single(other) == hot for other in rows) if share and hot is not None else 1.0
        if not any(row):
            key = "zero"
        elif hot is not None and math.isclose(row[hot], even):
            key = str(hot)
        elif old > 1 and all(math.isclose(value, 1 / old) for value in row):
            key = "mean"
        else:
            key = "weights"
        said.append((called[place] if place < len(called) else "", key, number_words(row) if key == "weights" else ""))
    return said


def single(row: tuple[float, ...]) -> int | None:
    """The one channel that a row takes."""
    places = [place for place, value in enumerate(row) if value]
    return places[0] if len(places) == 1 else None


def shares(rule: MapChannels) -> bool:
    """Whether channels that are taken several times are divided."""
    if rule.take is not None:
        return rule.share
    taken = [(hot, row[hot]) for row in rule.matrix_rows or () if (hot := single(row)) is not None]
    several = [value for hot, value in taken if sum(hot == other for other, _ in taken) > 1]
    return not several or any(value != 1 for value in several)
