"""The graph canvas: a model as cards and curves that one can pan, zoom, fold and walk with the keyboard."""

from gui.canvas.badges import Marks
from gui.canvas.widget import GraphView

__all__ = ["GraphView", "Marks"]
