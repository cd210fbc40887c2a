"""Which sizes an input may have, and what would make a forbidden one fit."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from core.edits import ChangeInput, InsertAdapter, InsertFront
from core.model.graph import Shape
from core.model.plan import LegalSizes
from core.phrases import shape_words
from core.recipes import steps
from core.recipes.gestures import with_steps
from core.recipes.recipe import Recipe
from gui.document.work import Work
from gui.widgets.parts import Sentence, clear_layout, named

if TYPE_CHECKING:
    from core.rules import AnyRule

LARGEST = 4096
_SIZES = ("shape.incompatible", "shape.too_small", "weight.mismatch", "baked.constant", "step.refused")
"""What is said of a size that does not fit."""


class LegalLine(QWidget):
    """One line below an input's fields; buttons when the wanted size is none of the legal ones."""

    def __init__(self, work: Work, name: str, original: Shape, channel: int | None, address: str | None) -> None:
        super().__init__()
        self._session, self._inquiries = work.session, work.inquiries
        self._name, self._address = name, address
        self._original, self._channel = original, channel
        self._spatial = tuple(place for place in range(len(original)) if place != channel)
        self._wanted: Shape = original
        self.known: LegalSizes | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.words = Sentence("small")
        self.words.setAccessibleName("Legal sizes")
        self.forbidden = Sentence()
        column.addWidget(self.words)
        column.addWidget(self.forbidden)
        self._fixes = QVBoxLayout()
        self._fixes.setSpacing(4)
        column.addLayout(self._fixes)
        self.buttons: list[QPushButton] = []
        self._shown: object = None
        self._inquiries.sizes_known.connect(self.refresh)
        work.processes.engine_changed.connect(self.refresh)
        work.session.plan_changed.connect(self.refresh)

    def show_wanted(self, shape: Shape) -> None:
        """The shape that the fields say."""
        self._wanted = shape
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say what is known by now."""
        session = self._session
        if self._channel is None or not 1 <= len(self._spatial) <= 3 or session.base is None:
            self._say(None, None)
            return
        axes = tuple(place + 1 for place in self._spatial)
        recipe = without_input_steps(session.recipe, self._name)
        general = self._inquiries.sizes(recipe, self._name, axes, None)
        size = self._forbidden_size(general)
        answer = general
        if size is not None:
            answer = self._inquiries.sizes(recipe, self._name, axes, size)
            if answer is None or not answer.forbids:
                # not asked yet, or it works after all: some sizes are rounded down to the same map
                answer, size = general, None
        self.known = general
        self._say(answer, size)

    def _forbidden_size(self, legal: LegalSizes | None) -> int | None:
        """The first wanted size that is not legal."""
        if legal is None or legal.smallest is None or self._settled():
            return None
        for place in self._spatial:
            size = self._wanted[place]
            if size is None:
                continue
            if legal.only is not None and size != self._original[place]:
                return size
            if legal.only is None and (size < legal.smallest or size % (legal.step or 1)):
                return size
        return None

    def _settled(self) -> bool:
        """Whether the model takes the wanted size as the recipe is: a rule or a new layer settles it too."""
        plan = self._session.plan
        if plan is None or not self._session.planned:
            return False
        if not without_input_steps(self._session.recipe, self._name).edits:
            return False  # nothing beside the size itself could have settled it
        if any(one.severity == "error" and one.code in _SIZES for one in plan.findings):
            return False
        return any(port.name == self._name and port.shape == (None, *self._wanted) for port in plan.inputs)

    def _say(self, legal: LegalSizes | None, size: int | None) -> None:
        seen = (legal, size, self._wanted)
        if seen == self._shown:
            return
        self._shown = seen
        clear_layout(self._fixes)
        self.buttons = []
        self.words.say(size_words(legal, len(self._spatial)) if legal is not None else "")
        if legal is None or size is None:
            self.forbidden.say("")
            return
        reason = legal.forbids or "sizes inside the model no longer match"
        self.forbidden.say(f"{size} does not fit: {reason}.")
        for title, edit in self._ways_out(legal):
            button = named(QPushButton(title), "fix")
            button.setAccessibleName(f"{title}, so that {size} fits")
            button.clicked.connect(self._taker(title, edit))
            self._fixes.addWidget(button)
            self.buttons.append(button)

    def _ways_out(self, legal: LegalSizes) -> list[tuple[str, InsertAdapter]]:
        wanted = self._wanted
        if any(wanted[place] is None for place in self._spatial):
            return []
        target = self._target(legal)
        there = shape_words(tuple(target[place] for place in self._spatial))
        ways: list[tuple[str, InsertAdapter]] = []
        step = legal.step or 1
        least = legal.smallest or 1
        sizes = [int(wanted[place] or 0) for place in self._spatial]
        if legal.only is None and step > 1 and all(-(-size // step) * step >= least for size in sizes):
            pad = InsertAdapter(shape=wanted, fit="pad", input=self._address, multiple=step)
            ways.append((f"Pad to a multiple of {step}, crop back", pad))
        if len(self._spatial) == 2:
            ways.append((f"Resize to {there} inside", InsertAdapter(shape=wanted, fit="resize", input=self._address)))
        targets = [int(target[place] or 0) for place in self._spatial]
        if all(size <= there_ for size, there_ in zip(sizes, targets, strict=True)):
            ways.append((f"Pad to {there} inside", InsertAdapter(shape=wanted, fit="pad", input=self._address)))
        elif all(size >= there_ for size, there_ in zip(sizes, targets, strict=True)):
            ways.append((f"Crop to {there} inside", InsertAdapter(shape=wanted, fit="crop", input=self._address)))
        return ways

    def _target(self, legal: LegalSizes) -> Shape:
        """The shape that the model keeps behind an adapter: its own where it is fixed, else the nearest legal one."""
        target = list(self._wanted)
        for place in self._spatial:
            target[place] = self._original[place] or legal.smallest
        return tuple(target)

    def _taker(self, title: str, edit: InsertAdapter) -> Callable[[], None]:
        def take() -> None:
            kept: Shape | None = None
            channels: str | AnyRule = "auto"
            if self._channel is not None and self._wanted[self._channel] != self._original[self._channel]:
                kept = tuple(
                    self._wanted[place] if place == self._channel else size for place, size in enumerate(self._original)
                )
                changed = (one for one in self._session.recipe.active() if isinstance(one, ChangeInput))
                channels = next((one.channels for one in changed if steps.of_input(one, self._name)), "auto")
            self._session.gesture(lambda recipe: steps.adapt_instead(recipe, self._name, edit, kept, channels), title)

        return take


def size_words(legal: LegalSizes, rank: int) -> str:
    """What is known in one short line."""
    if legal.only is not None:
        only = shape_words([legal.only] * rank)
        reason = f" \u2013 {legal.forbids}" if legal.forbids else ""
        return f"Only {only}{reason}"
    if legal.smallest is None:
        return ""
    if legal.step in (None, 1):
        return f"Smallest {legal.smallest}, any size from there"
    return f"Multiples of {legal.step}, from {legal.smallest}"


def without_input_steps(recipe: Recipe, name: str) -> Recipe:
    """The recipe without what changes this input, so that an answer holds while someone types."""
    kinds = (ChangeInput, InsertAdapter, InsertFront)
    return with_steps(
        recipe,
        (one for one in recipe.edits if one.enabled and not (isinstance(one, kinds) and steps.of_input(one, name))),
    )
