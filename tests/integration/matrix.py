"""The matrix: what people do to pretrained networks, on the architectures that they do it to."""

import gc
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

import core.engine.verify as judge
from core.analysis.opening import read_model
from core.engine.api import Engine
from core.engine.build import live_model
from core.model.graph import Graph
from core.model.plan import Plan
from core.recipes.recipe import Recipe
from tests.core.engine.drive import drift, outputs, recipe
from tests.helpers import models

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "MobileNet": {},
    "MobileNetV2": {},
    "MobileNetV3Small": {"input_shape": (224, 224, 3)},
    "MobileNetV3Large": {"input_shape": (224, 224, 3)},
    "VGG16": {"input_shape": (64, 64, 3)},
    "VGG19": {"input_shape": (64, 64, 3)},
    "ResNet50": {},
    "ResNet101": {},
    "ResNet152": {},
    "ResNet50V2": {},
    "ResNet101V2": {},
    "ResNet152V2": {},
    "Xception": {},
    "InceptionV3": {},
    "InceptionResNetV2": {},
    "DenseNet121": {},
    "DenseNet169": {},
    "DenseNet201": {},
    "NASNetMobile": {},
    "EfficientNetB0": {},
    "EfficientNetB1": {},
    "EfficientNetB2": {},
    "EfficientNetB3": {},
    "EfficientNetB4": {},
    "EfficientNetV2B0": {},
    "EfficientNetV2B1": {},
    "EfficientNetV2B2": {},
    "EfficientNetV2B3": {},
    "EfficientNetV2S": {},
    "ConvNeXtTiny": {},
    "ConvNeXtSmall": {},
}
FLATTENED = {"VGG16", "VGG19"}
"""Those whose Dense comes after Flatten: another size is truly an obstacle, to be settled by a fix."""

CELLS = [
    "size 160",
    "size 161",
    "size 299",
    "size smallest",
    "channels 1",
    "channels 4",
    "channels 13",
    "kernel 5",
    "kernel 7",
    "head avg",
    "head max",
    "head none",
    "head new",
    "cut middle",
    "adapter pad",
    "adapter resize",
    "adapter letterbox",
]


_LOAD, _GAP = judge._load, judge._training_gap


class Outcome(NamedTuple):
    """One cell: `passed`, or `refused` with the obstacle that the plan names; drift of the contract and of the native
    build where Keras can build one.
    """

    state: str
    drift: float | None = None
    native: float | None = None
    note: str = ""
    seconds: float = 0.0
    exact: bool = True


class Subject:
    """One architecture: its source file, an engine at work on it, and the old model, built once for all cells."""

    def __init__(self, name: str, folder: Path, arguments: dict[str, Any] | None = None) -> None:
        self.name = name
        self.arguments = {**ARCHITECTURES.get(name, {}), **(arguments or {})}
        self.folder = folder
        self.source = folder / f"{name}.keras"
        model = models.build(name, **self.arguments)
        model.save(self.source)
        self.shape: tuple[int, int, int] = model.input_shape[1:]
        del model
        self.engine = Engine()
        self.first = self.engine.set_source(read_model(self.source))
        self._old: Any = None
        self._new: Any = None

    def load(self, planned: Any, out: Path) -> Any:
        """The judge's own loading, whose model the comparison with a native build takes too."""
        self._new = _LOAD(planned, out)
        return self._new

    def live(self, graph: Graph, moves: Any, arrays: Any) -> Any:
        """`live_model`, which remembers the source's."""
        if graph is not self.first.graph:
            return live_model(graph, moves, arrays)
        if self._old is None:
            self._old = live_model(graph, moves, arrays)
        return self._old

    def edits(self, cell: str) -> list[dict[str, Any]]:
        """The recipe of a cell."""
        kind, _, what = cell.partition(" ")
        height, width, channels = self.shape
        if kind == "size":
            size = self.smallest() if what == "smallest" else int(what)
            return [{"do": "change_input", "shape": [size, size, channels]}]
        if kind == "channels":
            return [{"do": "change_input", "shape": [height, width, int(what)]}]
        if kind == "kernel":
            return [{"do": "replace_first_conv", "kernel_size": int(what)}]
        if kind == "head":
            head = {"do": "attach_head", "classes": 5} if what == "new" else {"do": "remove_head", "pooling": what}
            return [{"do": "remove_head"}, head] if what == "new" else [head]
        if kind == "cut":
            return [{"do": "cut_at", "layers": [self.middle()]}]
        shapes = {"pad": [height - 17, width - 9, 3], "resize": [100, 150, 3], "letterbox": [180, 120, 3]}
        return [{"do": "insert_adapter", "shape": shapes[what], "fit": what}]

    def smallest(self) -> int:
        """The smallest size that the engine says is legal; Keras's own constructors want at least 32."""
        name = self.first.graph.input_layers()[0].name
        found = self.engine.legal_sizes(Recipe(), name, (1, 2))
        return found.smallest or found.only or self.shape[0]

    def middle(self) -> str:
        """A layer halfway through that gives a map."""
        maps = [
            layer.name
            for layer in self.first.graph.layers
            if layer.calls and layer.calls[0].outputs and len(layer.calls[0].outputs[0].shape or ()) == 4
        ]
        return maps[len(maps) // 2]

    def native(self, cell: str, plan: Plan) -> Any:
        """The architecture as Keras builds it in that shape, or `None` where its constructor cannot."""
        kind, _, what = cell.partition(" ")
        arguments = dict(self.arguments)
        shape = tuple(int(size or 0) for size in (plan.inputs[0].shape or ())[1:])
        if kind in {"size", "channels"}:
            if self.name in FLATTENED and kind == "size":
                return None
            arguments["input_shape"] = shape
        elif kind == "head" and what != "new":
            if self.name.startswith("ConvNeXt"):
                return None  # its constructor adds a LayerNormalization of its own behind the pooled features
            pooling = None if what == "none" else what
            arguments.update(input_shape=self.shape, include_top=False, pooling=pooling)
        else:
            return None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*usually expects 1 or 3 input channels")
            try:
                return getattr(keras.applications, self.name)(weights=None, **arguments)
            except ValueError as error:
                if "at least" in str(error):  # Keras refuses small sizes that its layers could do
                    return None
                raise

    def run(self, cell: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
        """Plan, apply, verify, compare. Raises `AssertionError` when anything is not as it should be."""
        began = time.monotonic()
        monkeypatch.setattr(judge, "live_model", self.live)
        monkeypatch.setattr(judge, "_load", self.load)
        # how far training is from inference is the model's own, not the cell's: measured once
        monkeypatch.setattr(judge, "_training_gap", _GAP if cell == "size 160" else lambda *_: None)
        steps = recipe(*self.edits(cell))
        plan = self.engine.plan(steps)
        refused = ""
        if not plan.ok:
            steps, refused = self.settled(cell, plan, steps)
            plan = self.engine.plan(steps)
            assert plan.ok, plan.findings
        out = self.folder / "out.keras"
        written = self.engine.apply(steps, out)
        found = written.verification
        assert found is not None
        assert found.ok, (found.message, found.contracts)
        assert found.message == ""
        contract = max((one.drift for one in found.contracts), default=None)
        native = self.against_native(cell, plan)
        note = ", ".join(f"{one.name}" for one in found.contracts)
        state = "settled" if refused else "passed"
        exact = all(one.exact for one in found.contracts)
        return Outcome(state, contract, native, refused or note, time.monotonic() - began, exact)

    def settled(self, cell: str, plan: Plan, steps: Recipe) -> tuple[Recipe, str]:
        """A recipe that takes the first fix of the one obstacle that there may be."""
        wrong = [finding for finding in plan.findings if finding.severity == "error"]
        assert self.name in FLATTENED, wrong
        assert cell.startswith("size"), wrong
        assert [(one.code, one.layer) for one in wrong] == [("weight.mismatch", "fc1")], wrong
        return Recipe(edits=(*steps.edits, *wrong[0].fixes[0].edits)), "fc1: Dense after Flatten"

    def against_native(self, cell: str, plan: Plan) -> float | None:
        """How far the written model is from the native build that holds the same weights."""
        if any("fold" in (fate.rule or "") for fate in plan.fates):
            return None  # a bias was added, which the native build has not
        native = self.native(cell, plan)
        if native is None:
            return None
        ours = self._new
        assert [tuple(one.shape) for one in ours.outputs] == [tuple(one.shape) for one in native.outputs]
        mine, theirs = ours.weights, native.weights
        assert [tuple(one.shape) for one in mine] == [tuple(one.shape) for one in theirs]
        for one, other in zip(mine, theirs, strict=True):
            other.assign(one)
        for layer in models.layers(native):
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
        shape = (1, *(int(size or 0) for size in (plan.inputs[0].shape or ())[1:]))
        inputs = np.random.default_rng(9).random(shape, dtype=np.float32) * 255
        found = max(drift(a, b) for a, b in zip(outputs(ours, inputs), outputs(native, inputs), strict=True))
        assert found <= 1e-4
        return found

    def close(self) -> None:
        self.source.unlink(missing_ok=True)
        (self.folder / "out.keras").unlink(missing_ok=True)
        self._old = self._new = None
        keras.backend.clear_session()
        gc.collect()


def subjects(folder: Path) -> Iterator[Callable[[str], Subject]]:
    """One subject at a time in memory: asking for another architecture lets the last one go."""
    known: list[Subject] = []

    def subject(name: str, **arguments: Any) -> Subject:
        if not known or known[0].name != name:
            for one in known:
                one.close()
            known[:] = [Subject(name, folder, arguments)]
        return known[0]

    yield subject
    for one in known:
        one.close()
