"""Where the arrow keys lead: down and up along the edges, left and right to what stands beside."""

from PySide6.QtCore import Qt

from gui.canvas.flow import Node
from gui.canvas.scene import GraphScene


def neighbour(scene: GraphScene, node: Node | None, key: int) -> Node | None:
    """The node that an arrow key leads to, or `None`. Without a node: the first."""
    if node is None:
        return scene.nodes[0] if scene.nodes else None
    if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
        return _along(scene, node, down=key == Qt.Key.Key_Down)
    return _beside(scene, node, right=key == Qt.Key.Key_Right)


def _along(scene: GraphScene, node: Node, *, down: bool) -> Node | None:
    """Along an edge; into an unfolded model and out of it; without edges, to the next in the model's order."""
    if down and node.inner is not None and node.inner.nodes:
        return node.inner.nodes[0]
    incoming, outgoing = scene.edges_of(node)
    near = [edge.target for edge in outgoing] if down else [edge.source for edge in incoming]
    if near:
        found = min(near, key=lambda other: (abs(_middle(other) - _middle(node)), abs(other.y - node.y)))
        return found.inner.nodes[-1] if not down and found.inner is not None and found.inner.nodes else found
    parent = scene.parent_of(node)
    if parent is not None:
        if not down:
            return parent
        outgoing = scene.edges_of(parent)[1]
        return outgoing[0].target if outgoing else None
    if incoming or outgoing:
        return None
    index = scene.nodes.index(node) + (1 if down else -1)
    return scene.nodes[index] if 0 <= index < len(scene.nodes) else None


def _beside(scene: GraphScene, node: Node, *, right: bool) -> Node | None:
    """The nearest card on one side, rather on the same height than near."""
    level = scene.parent_of(node)
    x, y = _middle(node), node.y + node.height / 2
    side = (
        other for other in scene.nodes
        if scene.parent_of(other) is level and (_middle(other) - x > 1.0 if right else x - _middle(other) > 1.0)
    )  # fmt: skip
    return min(side, key=lambda other: abs(_middle(other) - x) + 3 * abs(other.y + other.height / 2 - y), default=None)


def _middle(node: Node) -> float:
    return node.x + node.width / 2
