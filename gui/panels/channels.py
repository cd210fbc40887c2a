"""How a change of channels is made: one of the rules, or channel by channel."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.rules import AnyRule, MapChannels
from core.rules.words import EFFECTS, rule_words
from gui.panels.mapping import MOST, MapForm
from gui.widgets.fields import Choice
from gui.widgets.parts import Sentence, label, named, reveal

RULES = (
    ("auto", "Automatic", "Chooses a rule: fold if the mean and deviation are known, sum for one channel, "
     "repeat for more. The plan says which."),
    *((name, rule_words(name), EFFECTS[name]) for name in ("sum", "mean", "repeat", "zero_extra", "fold")),
    ("map", rule_words("map"), "Set what each new channel is made of."),
)  # fmt: skip
SAME_COUNT = ("auto", "map")
"""Rules that mean something while the number of channels stays."""


class ChannelsForm(QWidget):
    """The rule for the weights that follow an input's channels; `changed` when `channels` may say another."""

    changed = Signal()
    compare_wanted = Signal()

    def __init__(self, name: str, old: int) -> None:
        super().__init__()
        self._old = old
        self._given: str | AnyRule = "auto"
        self._count: int | None = old
        self._untouched: MapChannels | None = None
        """What the open mapping said before anything in it was changed: that is no step yet."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(label("Adapt channels by", "fieldLabel"))
        self.rule = Choice(f"Channel rule of {name}", RULES)
        self.rule.setObjectName("channelRule")
        column.addWidget(self.rule)
        self.explanation = Sentence("small")
        column.addWidget(self.explanation)
        self.mapping = MapForm(old)
        self.mapping.hide()
        column.addWidget(self.mapping)
        row = QHBoxLayout()
        row.setSpacing(4)
        self.compare = named(QPushButton("Compare rules\u2026"), "link")
        self.compare.setToolTip("Measure how much each rule changes the outputs")
        self.compare.clicked.connect(self.compare_wanted)
        row.addWidget(self.compare)
        self.choose = named(QPushButton("Channel by channel\u2026"), "link")
        self.choose.setToolTip("Set what each new channel is made of, such as NIR from R")
        self.choose.clicked.connect(self._on_choose)
        row.addWidget(self.choose)
        row.addStretch(1)
        column.addLayout(row)
        self.rule.picked.connect(self._on_picked)
        self.mapping.changed.connect(self.changed)

    def show_rule(self, given: str | AnyRule, count: int | None) -> None:
        """Show a step's rule for so many new channels, and offer those that mean something for them."""
        self._given, self._count = given, count
        changed = count != self._old
        mapped = isinstance(given, MapChannels)
        if changed or mapped:
            self._untouched = None
        opened = self._untouched is not None
        options = RULES if changed else [one for one in RULES if one[0] in SAME_COUNT]
        if [key for key, _, _ in options] != [self.rule.itemData(at) for at in range(self.rule.count())]:
            self.rule.set_options(options)
        self.rule.show_key("map" if opened else given if isinstance(given, str) else given.name)
        small = count is not None and count <= MOST and self._old <= MOST
        if isinstance(given, MapChannels) and small:
            self.mapping.show_rule(given, count or 0)
        self.mapping.setVisible((mapped or opened) and small)
        self.compare.setEnabled(changed)
        self.choose.setVisible(not (mapped or opened))
        self.choose.setEnabled(small)
        if mapped and not small:
            self.explanation.say(f"More than {MOST} channels: edit the step as text with the pencil beside it.")
        elif changed or mapped or opened:
            self.explanation.say(self.rule.tip)
        else:
            self.explanation.say("Used when the number of channels changes, or their order.")

    def channels(self, count: int | None) -> str | AnyRule | None:
        """The rule for so many new channels, `None` while what is said of them makes no sense."""
        key = self.rule.key or "auto"
        if key == "map" and count is not None and count <= MOST and self._old <= MOST:
            self.mapping.set_count(count)
            rule = self.mapping.rule()
            return self._given if rule is not None and rule == self._untouched else rule
        # a rule with fields of its own stays as it is until another is chosen
        return self._given if not isinstance(self._given, str) and self._given.name == key else key

    @Slot()
    def _on_choose(self) -> None:
        self.rule.show_key("map")
        self._on_picked("map")
        if self.mapping.rows:
            self.mapping.rows[-1].source.setFocus()

    @Slot(str)
    def _on_picked(self, key: str) -> None:
        count = self._count
        if key == "map" and count == self._old <= MOST and not isinstance(self._given, MapChannels):
            # each channel stays what it is until something in the mapping is changed
            self.mapping.set_count(count)
            self._untouched = self.mapping.rule()
            self.show_rule(self._given, count)
        else:
            self._untouched = None
            self.changed.emit()
            self.show_rule(self._given, count)
        if key == "map":
            reveal(self.mapping)
