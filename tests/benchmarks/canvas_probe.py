"""The graph of a large model in a process of its own: how long folding, colouring, finding and other views take."""

import time
from typing import Any


def canvas(path: str) -> dict[str, Any]:
    """Seconds of each act on the canvas, painted; the best of three."""
    from PySide6.QtWidgets import QApplication

    from core.analysis.opening import read_model
    from core.model.plan import Plan
    from gui.canvas import GraphView
    from gui.canvas.colouring import Colouring

    app = QApplication(["suture"])
    graph = read_model(path).graph
    plan = Plan(ok=True, graph=graph)
    view = GraphView()
    view.resize(900, 800)
    view.show()
    view.set_graph(graph, {}, keep_view=False)
    names = [layer.name for layer in graph.layers]
    values = {name: float(number) for number, name in enumerate(names)}

    def fold_again() -> None:
        view.select("")
        view.fold_all()

    acts: dict[str, tuple[Any, Any]] = {
        "fold everything": (view.fold_all, lambda: view.select(names[len(names) // 3])),
        "unfold everything": (view.unfold_all, view.fold_all),
        "colour by parameters": (lambda: view.set_colouring(Colouring("params", values)), view.colour_by_class),
        "find a layer": (lambda: view.select(names[len(names) // 2]), fold_again),
        "switch to Before": (
            lambda: view.set_plan(plan, graph, "before"), lambda: view.set_plan(plan, graph, "difference")
        ),
        "switch to Difference": (
            lambda: view.set_plan(plan, graph, "difference"), lambda: view.set_plan(plan, graph, "before")
        ),
    }  # fmt: skip
    seconds = {}
    for name, (act, back) in acts.items():
        tries = []
        for _ in range(3):
            began = time.monotonic()
            act()
            view.view.viewport().repaint()
            tries.append(time.monotonic() - began)
            back()
            app.processEvents()
        seconds[name] = min(tries)
    return {"seconds": seconds}
