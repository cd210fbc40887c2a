"""What is measured in a process of its own: `python -m tests.benchmarks.probes NAME ARGUMENTS` answers in JSON."""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.benchmarks import canvas_probe, window_probe

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"


def import_tensorflow() -> dict[str, Any]:
    """What the window must not wait for."""
    import tensorflow  # noqa: F401

    return {"ready": time.monotonic()}


def load_model(path: str) -> dict[str, Any]:
    """Keras's own loading, its import not counted."""
    import keras

    began = time.monotonic()
    model = keras.saving.load_model(path, compile=False)
    return {"seconds": time.monotonic() - began, "layers": len(model.layers)}


def script(path: str, out: str, size: str) -> dict[str, Any]:
    """The script that people write: load, clone at a new size, set_weights, save. The import is not counted."""
    import keras

    began = time.monotonic()
    old = keras.saving.load_model(path, compile=False)
    new = keras.models.clone_model(old, input_tensors=keras.Input((int(size), int(size), 3)))
    new.set_weights(old.get_weights())
    new.save(out)
    return {"seconds": time.monotonic() - began}


def apply(path: str, out: str, size: str) -> dict[str, Any]:
    """The same with Suture, from reading to the written file, the import not counted."""
    from core.engine import api

    began = time.monotonic()
    from core.analysis.opening import read_model
    from core.recipes.recipe import from_json

    engine = api.Engine()
    engine.set_source(read_model(path))
    edit = {"do": "change_input", "shape": [int(size), int(size), 3]}
    engine.apply(from_json(json.dumps({"edits": [edit]})), out, False)
    return {"seconds": time.monotonic() - began}


def plans(path: str, count: str) -> dict[str, Any]:
    """Plans of one edit after another on a warm engine, without a window: seconds each."""
    from core.analysis.opening import read_model
    from core.engine import api
    from core.recipes.recipe import from_json

    engine = api.Engine()
    source = read_model(path)
    engine.set_source(source)
    seconds = []
    for number in range(int(count)):
        shape = [224 + 16 * (number % 7), 224 + 16 * (number % 5), 1 + number % 4]
        recipe = from_json(json.dumps({"edits": [{"do": "change_input", "shape": shape}]}))
        began = time.monotonic()
        engine.plan(recipe)
        seconds.append(time.monotonic() - began)
    return {"seconds": seconds, "layers": sum(1 for _ in source.graph.walk())}


def edit_costs(path: str) -> dict[str, Any]:
    """Processor seconds of a plan without steps (`base`) and of a plan of every edit and preset; the best of two."""
    from core.analysis.opening import read_model
    from core.engine import api
    from core.recipes.recipe import Recipe
    from tests.benchmarks.edit_costs import edit_recipes

    engine = api.Engine()
    source = read_model(path)
    engine.set_source(source)

    def best(recipe: Recipe, rounds: int) -> float:
        seconds = []
        for _ in range(rounds):
            engine.plan(Recipe())
            gc.collect()
            began = time.process_time()
            engine.plan(recipe)
            seconds.append(time.process_time() - began)
        return min(seconds)

    gc.collect()
    gc.freeze()  # as the engine does
    base = best(Recipe(), 3)
    plans = {name: best(recipe, 2) for name, recipe in edit_recipes(path, source.graph)}
    return {"base": base, "plans": plans, "layers": sum(1 for _ in source.graph.walk())}


def read(path: str) -> dict[str, Any]:
    """The reader alone, its imports not counted; the best of three."""
    from core.analysis.opening import read_model

    seconds = []
    for _ in range(3):
        began = time.monotonic()
        source = read_model(path)
        seconds.append(time.monotonic() - began)
    return {"seconds": min(seconds), "layers": sum(1 for _ in source.graph.walk())}


def chain(path: str) -> dict[str, Any]:
    """Reading, planning and laying out a generated model: the best of three, seconds by stage."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from core.analysis.opening import read_model
    from core.engine import api
    from core.recipes.recipe import Recipe
    from gui.canvas import GraphView

    app = QApplication(["suture"])
    canvas = GraphView()
    canvas.resize(1000, 800)
    best: dict[str, float] = {}
    api.Engine().set_source(read_model(path))  # what is learnt once is learnt now

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        value = work()
        best[name] = min(best.get(name, float("inf")), time.monotonic() - began)
        return value

    for _ in range(3):
        source = timed("read", partial(read_model, path))
        engine = api.Engine()
        timed("first plan", partial(engine.set_source, source))
        timed("next plan", partial(engine.plan, Recipe()))
        timed("graph", partial(canvas.set_graph, source.graph, {}, keep_view=False))
    app.processEvents()
    return best


def start() -> None:
    """The window alone; see `window_probe`."""
    window_probe.start(tell)


def window(path: str, edits: str) -> dict[str, Any]:
    """The window with a model; see `window_probe`."""
    return window_probe.window(path, int(edits))


def canvas(path: str) -> dict[str, Any]:
    """The graph alone; see `canvas_probe`."""
    return canvas_probe.canvas(path)


def tell(answer: dict[str, Any]) -> None:
    """The answer, alone on the last line."""
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the probe that is named."""
    name, *arguments = sys.argv[1:]
    answer = globals()[name](*arguments)
    tell(answer)
    os._exit(0)  # TensorFlow's own end takes long and is nobody's business here


if __name__ == "__main__":
    main()
