"""Cards and containers as graphics items. Items only paint; what happens to them is the view's affair."""

from collections.abc import Container, Mapping
from dataclasses import replace
from html import escape

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget
from typing_extensions import override

from core.model.plan import AS_STORED
from gui.canvas.badges import NO_MARKS, Marks
from gui.canvas.describe import DOT, outputs_text
from gui.canvas.flow import Node
from gui.canvas.look import RADIUS, STRIPE, Look, Paint, body_path, stripe_path
from gui.canvas.marks import CHIP, NO_PEN, paint_chevron, paint_chip, paint_lock, paint_marker
from gui.models.digest import count_words, fate_words

TEXT_ZOOM = 0.5
WORD_ZOOM = 0.29
LONGEST = 120
PAD = 9.0
LEFT = STRIPE + 9.0

RIGHT_ALIGNED = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT_ALIGNED = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
NO_BRUSH = QBrush(Qt.BrushStyle.NoBrush)


def display_name(node: Node) -> str:
    """The layer's own name, without the models around it; of a group its first and last layer."""
    if node.group is not None:
        first, last = (path.rpartition("/")[2] for path in (node.holds[0], node.holds[-1]))
        return shortened(f"{first} \u2026 {last}")
    return shortened(node.path.rpartition("/")[2] if node.ghost else node.layer.name)


def _shown(badge: Marks, *, difference: bool) -> Marks:
    """The badge without the mark of what is merely copied, where differences are what one looks for."""
    return replace(badge, fate=None) if difference and badge.fate in AS_STORED and not badge.changed else badge


class BlockItem(QGraphicsItem):
    """A run of nodes as one rounded card with a section for each."""

    def __init__(
        self, nodes: list[Node], look: Look, badges: Mapping[str, Marks], *, difference: bool,
        paints: Mapping[str, Paint] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.nodes = nodes
        self.paints = paints or {}
        self.look = look
        self.badges = [_shown(badges.get(node.key, NO_MARKS), difference=difference) for node in nodes]
        self.difference = difference
        first, last = nodes[0], nodes[-1]
        self.width = first.width
        self.height = last.y + last.height - first.y
        self.setPos(first.x, first.y)
        self._bounds = QRectF(-5, -9, self.width + 14, self.height + 20)
        self._texts: list[tuple[str, str, str, str]] | None = None
        self._words: list[str] | None = None

    def retake(self, badges: Mapping[str, Marks], changed: Container[str]) -> bool:
        """Take other badges and, for the `changed` nodes, other words. Returns whether there is something to paint."""
        shown = [_shown(badges.get(node.key, NO_MARKS), difference=self.difference) for node in self.nodes]
        if shown == self.badges and not any(node.key in changed for node in self.nodes):
            return False
        self.badges = shown
        self._texts = None
        self.update()
        return True

    @override
    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint_of(self, index: int) -> Paint:
        """What the colours mean now, else the family's brushes; grey in the Difference view for what stays as it is."""
        badge, node = self.badges[index], self.nodes[index]
        if node.key in self.paints:
            return self.paints[node.key]
        if self.difference and not (badge.changed or badge.ghost):
            return self.look.neutral
        return self.look.families[node.family]

    def recolour(self, paints: Mapping[str, Paint]) -> None:
        """Take other colours; none are those of the classes."""
        self.paints = paints
        self.update()

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        if zoom < TEXT_ZOOM:
            self._paint_far(painter, words=zoom >= WORD_ZOOM)
            return
        look, width, height = self.look, self.width, self.height
        ghost = self.badges[0].ghost
        painter.setPen(NO_PEN)
        if not ghost:
            painter.setBrush(look.shadow)
            painter.drawRoundedRect(QRectF(0.5, 2.5, width - 1, height), RADIUS, RADIUS)
        if self.nodes[0].foldable:
            self._paint_stack(painter)
        last = len(self.nodes) - 1
        top = 0.0
        if self._texts is None:
            self._texts = [self._fit(index) for index in range(len(self.nodes))]
        for index, node in enumerate(self.nodes):
            painter.translate(0, top)
            self._paint_section(painter, index, first=index == 0, last=index == last)
            painter.translate(0, -top)
            top += node.height
        painter.setBrush(NO_BRUSH)
        painter.setPen(look.ghost_border if ghost else look.border)
        painter.drawRoundedRect(QRectF(0, 0, width, height), RADIUS, RADIUS)
        top = 0.0
        for index, node in enumerate(self.nodes):
            badge = self.badges[index]
            pen = self._outline(badge)
            if pen is not None:
                painter.setPen(pen)
                painter.setBrush(NO_BRUSH)
                rect = QRectF(0, top, width, node.height)
                painter.drawRoundedRect(rect, RADIUS if last == 0 else 5.0, RADIUS if last == 0 else 5.0)
            if badge.severity is not None:
                paint_marker(painter, look, badge.severity, QPointF(2.0, top + 1.0))
            top += node.height

    def _outline(self, badge: Marks) -> QPen | None:
        """A coloured border for what is not settled, and for what differs."""
        if badge.ghost:
            return None
        if badge.fate == "mismatched":
            return self.look.chips["mismatched"].edge
        if self.difference and badge.changed:
            return self.look.chips[badge.fate if badge.fate in ("initialized", "transferred") else "adapted"].edge
        return None

    def _paint_far(self, painter: QPainter, *, words: bool) -> None:
        """Without small text: one coloured rectangle a section, a little nearer with its class in large letters."""
        look = self.look
        top = 0.0
        ghost = self.badges[0].ghost
        if words and self._words is None:
            self._words = [self._word(node) for node in self.nodes]
        for index, node in enumerate(self.nodes):
            rect = QRectF(0, top, self.width, node.height - 1.5)
            paint = self.paint_of(index)
            painter.setPen(NO_PEN)
            painter.setBrush(look.ghost_fill if ghost else paint.fill if words else paint.far)
            painter.drawRoundedRect(rect, 6, 6)
            badge = self.badges[index]
            if badge.fate not in (None, "copied"):
                painter.setBrush(look.chips[str(badge.fate)].edge.brush())
                painter.drawRect(QRectF(self.width - 26, top, 26, node.height - 1.5))
            if words and self._words is not None:
                painter.setBrush(paint.stripe)
                painter.drawRect(QRectF(0, top, 8, node.height - 1.5))
                painter.setPen(paint.text)
                painter.setFont(look.large_slim if node.slim else look.large)
                painter.drawText(rect.adjusted(18, 0, 0, 0), LEFT_ALIGNED, self._words[index])
            top += node.height

    def _word(self, node: Node) -> str:
        """The class, as far as it fits in large letters."""
        metrics = self.look.large_slim_metrics if node.slim else self.look.large_metrics
        return metrics.elidedText(node.layer.class_name, Qt.TextElideMode.ElideRight, self.width - 46)

    def _paint_stack(self, painter: QPainter) -> None:
        """Two sheets behind a folded model."""
        painter.setPen(self.look.border)
        painter.setBrush(self.look.families["model"].slim)
        for step in (8.0, 4.0):
            rect = QRectF(step, step, self.width - 2 * step, self.height)
            painter.drawRoundedRect(rect, RADIUS, RADIUS)

    def _chips(self, index: int) -> int:
        badge = self.badges[index]
        return (badge.fate is not None) + badge.frozen

    def _fit(self, index: int) -> tuple[str, str, str, str]:
        """Class, name, detail and shape, shortened to what the section has room for."""
        node, look = self.nodes[index], self.look
        name, title, detail = display_name(node), node.layer.class_name, node.detail
        if node.shared:
            name = f"call {node.call + 1} of {len(node.layer.calls)}{DOT}{name}"
        shape = node.shape if not node.slim or node.shape != node.shape_in else ""
        if node.ghost:
            name = f"removed{DOT}{name}"
        middle = Qt.TextElideMode.ElideMiddle
        end = Qt.TextElideMode.ElideRight
        body = look.body_metrics
        if node.slim:
            room = self.width - LEFT - PAD - self._chips(index) * (CHIP + 3)
            right = DOT.join(dict.fromkeys(text for text in (detail, shape) if text))
            title = look.title_metrics.elidedText(title, end, room)
            room -= look.title_metrics.horizontalAdvance(title) + 8
            right = body.elidedText(right, middle, max(0.0, room))
            room -= body.horizontalAdvance(right) + 8
            return title, body.elidedText(name, middle, room) if room > 44 else "", right, ""
        column = CHIP + 4 if self._chips(index) else 0.0
        room = self.width - LEFT - PAD - column - (18 if node.foldable else 0)
        title = look.title_metrics.elidedText(title, end, room)
        detail = body.elidedText(detail, end, max(0.0, room - look.title_metrics.horizontalAdvance(title) - 8))
        below = self.width - LEFT - PAD - (CHIP + 4 if self._chips(index) > 1 else 0.0)
        shape = body.elidedText(shape, middle, below * 0.6)
        name = body.elidedText(name, middle, below - body.horizontalAdvance(shape) - 8)
        return title, name, detail, shape

    def _paint_section(self, painter: QPainter, index: int, *, first: bool, last: bool) -> None:
        node, look, badge = self.nodes[index], self.look, self.badges[index]
        paint = self.paint_of(index)
        width, height = self.width, node.height
        painter.setPen(NO_PEN)
        if badge.ghost:
            painter.setBrush(look.ghost_fill)
        else:
            painter.setBrush(paint.slim if node.slim else paint.fill)
        painter.drawPath(body_path(width, height, top=first, bottom=last))
        painter.setBrush(look.chips["dropped"].back if badge.ghost else paint.stripe)
        painter.drawPath(stripe_path(height, top=first, bottom=last))
        if not first:
            painter.setPen(look.divider)
            painter.drawLine(QPointF(STRIPE, 0), QPointF(width - 1, 0))
        assert self._texts is not None
        title, name, detail, shape = self._texts[index]
        strong = look.muted if badge.ghost else paint.text
        quiet = None if badge.ghost else paint.quiet
        muted, faint, plain = quiet or look.muted, quiet or look.faint, quiet or look.text
        chips = self._chips(index)
        if node.slim:
            right = width - PAD - chips * (CHIP + 3)
            painter.setFont(look.title)
            painter.setPen(strong)
            painter.drawText(QRectF(LEFT, 0, width, height), LEFT_ALIGNED, title)
            painter.setFont(look.body)
            if detail:
                painter.setPen(muted)
                painter.drawText(QRectF(LEFT, 0, right - LEFT, height), RIGHT_ALIGNED, detail)
            if name:
                painter.setPen(faint)
                start = LEFT + look.title_metrics.horizontalAdvance(title) + 8
                painter.drawText(QRectF(start, 0, right - start, height), LEFT_ALIGNED, name)
            self._paint_chips(painter, badge, width - PAD + 1, height / 2, -(CHIP + 3), 0)
            return
        line = height / 2
        top = QRectF(LEFT, 4, width - LEFT - PAD - (CHIP + 4 if chips else 0), line - 3)
        low = QRectF(LEFT, line, width - LEFT - PAD - (CHIP + 4 if chips > 1 else 0), line - 5)
        painter.setFont(look.title)
        painter.setPen(strong)
        if node.foldable:
            paint_chevron(painter, QPointF(LEFT + 4, top.center().y()), opened=False)
            painter.drawText(top.adjusted(16, 0, 0, 0), LEFT_ALIGNED, title)
        else:
            painter.drawText(top, LEFT_ALIGNED, title)
        painter.setFont(look.body)
        painter.setPen(look.muted if badge.ghost else plain)
        if detail:
            painter.drawText(top, RIGHT_ALIGNED, detail)
        painter.setPen(muted)
        painter.drawText(low, LEFT_ALIGNED, name)
        if shape:
            painter.drawText(low, RIGHT_ALIGNED, shape)
        middle = top.center().y()
        self._paint_chips(painter, badge, width - PAD + 1, middle + 0.5, 0, low.center().y() - middle)

    def _paint_chips(self, painter: QPainter, badge: Marks, right: float, middle: float, dx: float, dy: float) -> None:
        """The fate's letter, and a lock beside or below it."""
        if badge.fate is not None:
            paint_chip(painter, self.look, badge.fate, QPointF(right - CHIP / 2, middle))
            right, middle = right + dx, middle + dy
        if badge.frozen:
            paint_lock(painter, self.look, QPointF(right - CHIP / 2, middle))


class GroupItem(QGraphicsItem):
    """The container around an unfolded model: title, size, and a sign that folds it."""

    def __init__(self, node: Node, look: Look, badge: Marks, depth: int) -> None:
        super().__init__()
        self.node = node
        self.look = look
        self.badge = badge
        self.depth = depth
        self.setPos(node.x, node.y)
        self._bounds = QRectF(-2, -2, node.width + 4, node.height + 4)

    @override
    def boundingRect(self) -> QRectF:
        return self._bounds

    @override
    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        look, node = self.look, self.node
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setPen(look.ghost_border if self.badge.ghost else look.group_border)
        painter.setBrush(look.group_fills[self.depth % 2])
        painter.drawRoundedRect(QRectF(0, 0, node.width, node.height), 14, 14)
        if zoom < TEXT_ZOOM:
            return
        painter.setFont(look.heading)
        painter.setPen(look.group_text)
        paint_chevron(painter, QPointF(20, 19), opened=True)
        name = display_name(node) if node.group is None else node.group.title
        if node.shared:
            name += f"{DOT}call {node.call + 1} of {len(node.layer.calls)}"
        room = node.width - 50
        name = look.heading_metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(QRectF(34, 0, room, 38), LEFT_ALIGNED, name)
        room -= look.heading_metrics.horizontalAdvance(name) + 12
        if self.badge.frozen:
            paint_lock(painter, look, QPointF(node.width - 50 - room + 38 + CHIP / 2, 19))
            room -= CHIP + 8
        if room > 60:
            painter.setFont(look.body)
            painter.setPen(look.muted)
            text = f"{node.layer.class_name}{DOT}{node.detail}" if node.group is None else node.detail
            if look.body_metrics.horizontalAdvance(text) > room:
                text = look.body_metrics.elidedText(node.detail, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRectF(34, 0, node.width - 50, 38), RIGHT_ALIGNED, text)
        if self.badge.severity is not None:
            paint_marker(painter, look, self.badge.severity, QPointF(2, 2))


def shortened(text: str) -> str:
    """A name that fits on the screen, whatever a file calls its layers."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}\u2026{text[-LONGEST // 2 :]}"


def tooltip(node: Node, badge: Marks, also: tuple[str, str] = ("", "")) -> str:
    """All that is known of a node, as rich text; `also` is what its colour says."""
    layer = node.layer
    shape = outputs_text(layer.calls[node.call].outputs) if layer.calls else ""
    if node.group is not None:
        rows = [("Layers", display_name(node)), ("Inside", node.detail), ("Shapes", node.shape or "unknown")]
        if node.group.count > 1:
            rows.insert(0, ("Blocks", f"{node.group.count:,}, alike in classes, settings and connections"))
    else:
        rows = [("Path", shortened(node.path)), ("Output", shape or "unknown")]
        if node.detail:
            rows.append(("Arguments" if not node.foldable else "Inside", node.detail))
        if layer.weights or node.foldable:
            rows.append(("Parameters", f"{layer.num_params():,} ({count_words(layer.num_params())})"))
            rows.append(("Training", "trainable" if layer.trainable else "frozen"))
    if node.shared:
        rows.append(("Shared", f"call {node.call + 1} of {len(layer.calls)}, one set of weights"))
    if badge.ghost:
        rows.append(("Fate", "removed"))
    elif badge.fate is not None:
        rows.append(("Fate" if node.group is None else "Worst fate", fate_words(badge.fate, badge.files)))
    if node.group is not None and badge.frozen:
        rows.append(("Training", "all of it is frozen"))
    if also[1]:
        rows.append(also)
    rows += [("Finding", message) for message in badge.messages]
    body = "".join(f"<tr><td>{key}&nbsp;&nbsp;</td><td>{escape(value)}</td></tr>" for key, value in rows)
    return f"<b>{escape(shortened(layer.class_name))}</b><table>{body}</table>"
