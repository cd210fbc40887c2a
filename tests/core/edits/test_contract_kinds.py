"""Each kind of contract by itself: two NumPy models that keep it give equal arrays, and one that breaks it does not."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from core.model.contract import Array, Contract, Inputs, Place
from core.model.graph import Call, Graph, Layer, TensorRef
from core.surgery import contracts
from core.surgery.wiring import Wiring

Model = Callable[[Inputs], dict[str, Array]]
"""Every tensor of a model by the name of its layer; outputs are those that begin with `out`."""


def graph_of(inputs: Inputs, tensors: Sequence[str]) -> Graph:
    """A graph with these inputs and tensors."""
    layers = [
        Layer(name, "InputLayer", config={"batch_shape": [None, *array.shape[1:]]}, calls=(Call(),))
        for name, array in inputs.items()
    ]
    layers += [Layer(name, "Identity", calls=(Call(),)) for name in tensors]
    ends = [TensorRef(name) for name in tensors if name.startswith("out")]
    return Graph("model", layers=tuple(layers), inputs=[TensorRef(name) for name in inputs], outputs=ends)


class Numbers:
    """A model in NumPy."""

    def __init__(self, model: Model, inputs: Inputs) -> None:
        self._model, self._inputs = model, inputs
        self.graph = graph_of(inputs, list(model(inputs)))

    def outputs(self, inputs: Inputs) -> list[Array]:
        found = self._model({name: inputs[name] for name in self._inputs})
        return [found[ref.layer] for ref in self.graph.output_refs()]

    def tensors(self, places: Sequence[int | Place], inputs: Inputs) -> list[Array]:
        found = self._model({name: inputs[name] for name in self._inputs})
        return [self.outputs(inputs)[one] if isinstance(one, int) else found[one[0]] for one in places]

    def scores(self, place: Place, inputs: Inputs) -> Array:
        return self.tensors([place], inputs)[0]


class Pair:
    """Two of them, with random inputs of the shapes that each takes."""

    dtype: ClassVar[Any] = np.float64
    own: ClassVar[Any] = {}

    def __init__(self, old: tuple[Model, Any], new: tuple[Model, Any], other: tuple[Model, Any] | None = None) -> None:
        rng = np.random.default_rng(1)
        self.x_old, self.x_new = ({name: rng.random(size) for name, size in one[1].items()} for one in (old, new))
        for name in self.x_old.keys() & self.x_new.keys():
            if self.x_old[name].shape == self.x_new[name].shape:
                self.x_old[name] = self.x_new[name]
        self.old, self.new = Numbers(old[0], self.x_old), Numbers(new[0], self.x_new)
        self.words = (self.old.graph, self.new.graph)
        self._other = other

    def other(self, name: str) -> Numbers:
        assert self._other is not None
        return Numbers(self._other[0], {key: np.zeros(size) for key, size in self._other[1].items()})


def apart(contract: Contract, pair: Pair) -> float:
    old, new = contract.arrays(pair, *contract.inputs(pair))
    assert len(old) == len(new) > 0
    assert [one.shape for one in old] == [one.shape for one in new]
    return max(float(np.max(np.abs(one - two))) for one, two in zip(old, new, strict=True))


RGB = np.array([0.3, 0.5, 0.2])
MIX = [[0.0, 0.0, 1.0], [1.0, 0.5, 0.0]]
WIRES = Wiring(fed=(TensorRef("mid"),), names={"x": "x", "out": "out"}, kept=(), around="")
BESIDE = Wiring(fed=(None,), names={"x": "x2", "out": "second_out"}, kept=(TensorRef("out"),), around="")


def weighed(x: Array, weights: Array) -> Array:
    return np.tensordot(x, weights, axes=([-1], [0]))


CASES: dict[str, tuple[Contract, tuple[Model, Any], tuple[Model, Any], tuple[Model, Any] | None]] = {
    "gray": (
        contracts.gray("x", 3, (4, 4, 1), 3, 1, True),
        (lambda x: {"out": weighed(x["x"], RGB)}, {"x": (2, 4, 4, 3)}),
        (lambda x: {"out": weighed(x["x"], RGB.sum(keepdims=True))}, {"x": (2, 4, 4, 1)}),
        None,
    ),
    "old_bands": (
        contracts.old_bands("x", 3, (4, 4, 5), 3, 5, True),
        (lambda x: {"out": weighed(x["x"], RGB)}, {"x": (2, 4, 4, 3)}),
        (lambda x: {"out": weighed(x["x"], np.array([*RGB, 7.0, 9.0]))}, {"x": (2, 4, 4, 5)}),
        None,
    ),
    "mapped": (
        contracts.mapped("x", 1, (2, 4), MIX, True),
        (lambda x: {"out": np.einsum("bcw,c->bw", x["x"], RGB)}, {"x": (2, 3, 4)}),
        (lambda x: {"out": np.einsum("bcw,c->bw", x["x"], np.array(MIX) @ RGB)}, {"x": (2, 2, 4)}),
        None,
    ),
    "old_size": (
        contracts.old_size("x", (4,), True),
        (lambda x: {"out": x["x"] ** 2}, {"x": (2, 4)}),
        (lambda x: {"out": x["x"] * x["x"]}, {"x": (2, 6)}),
        None,
    ),
    "adapted": (
        contracts.Adapted(name="", input="x", layer="front", shape=(8,)),
        (lambda x: {"out": x["x"] + 1}, {"x": (2, 4)}),
        (lambda x: {"front": x["x"][:, ::2], "out": x["x"][:, ::2] + 1}, {"x": (2, 8)}),
        None,
    ),
    "padded": (
        contracts.Padded(name="", input="x", shape=(3, 1), old=(5, 1), gaps=[[1, 1], [0, 0]], crop=[0]),
        (lambda x: {"out": np.cumsum(x["x"], 1), "out2": x["x"].sum(1)}, {"x": (2, 5, 1)}),
        (lambda x: {"out": np.cumsum(x["x"], 1), "out2": x["x"].sum(1)}, {"x": (2, 3, 1)}),
        None,
    ),
    "features": (
        contracts.features("", [(0, ["map", [0], 0])], "max"),
        (lambda x: {"map": x["x"] * 2, "out": x["x"].sum((1, 2))}, {"x": (2, 4, 4, 3)}),
        (lambda x: {"out": (x["x"] * 2).max((1, 2))}, {"x": (2, 4, 4, 3)}),
        None,
    ),
    "classes": (
        contracts.Classes(name="", layer="out", calls=[0], axis=-1, new=[0, 1], old=[3, 1]),
        (lambda x: {"out": x["x"]}, {"x": (2, 4)}),
        (lambda x: {"out": x["x"][:, [3, 1, 0]]}, {"x": (2, 4)}),
        None,
    ),
    "batch": (
        contracts.Batch(name="", rows=2),
        (lambda x: {"out": np.sin(x["x"])}, {"x": (8, 4)}),
        (lambda x: {"out": np.sin(x["x"])}, {"x": (3, 4)}),
        None,
    ),
    "tail": (
        contracts.Tail(name="", given=[("cut", ["mid", [0], 0])], outputs=[1]),
        (lambda x: {"mid": x["x"] + 3, "out": x["x"], "out2": (x["x"] + 3) ** 2}, {"x": (2, 4)}),
        (lambda x: {"out": x["cut"] ** 2}, {"cut": (2, 4)}),
        None,
    ),
    "transposed": (
        contracts.Transposed(name="", given={"x": [0, 3, 1, 2]}, outputs=[[0, 3, 1, 2]]),
        (lambda x: {"out": np.cumsum(x["x"], -1)}, {"x": (2, 4, 5, 3)}),
        (lambda x: {"out": np.cumsum(x["x"], 1)}, {"x": (2, 3, 4, 5)}),
        None,
    ),
    "stacked": (
        contracts.Stacked(name="", input="x", at=1, outputs=[1, 0]),
        (lambda x: {"out": x["x"] * 2, "out2": x["x"].sum(1)}, {"x": (2, 4)}),
        (lambda x: {"out": x["x"] * 2, "out2": x["x"].mean(1).sum(1)}, {"x": (2, 3, 4)}),
        None,
    ),
    "joined in series": (
        contracts.Joined(name="", file="b", wires=WIRES, series=True),
        (lambda x: {"mid": x["x"] - 1, "out": x["x"] - 9}, {"x": (2, 4)}),
        (lambda x: {"out": (x["x"] - 1) * 5}, {"x": (2, 4)}),
        (lambda x: {"out": x["x"] * 5}, {"x": (2, 4)}),
    ),
    "joined and merged": (
        contracts.Joined(name="", file="b", wires=BESIDE, series=False, merge="average"),
        (lambda x: {"out": x["x"] - 1}, {"x": (2, 4)}),
        (lambda x: {"out": (x["x"] - 1 + x["x2"] * 5) / 2}, {"x": (2, 4), "x2": (2, 4)}),
        (lambda x: {"out": x["x"] * 5}, {"x": (2, 4)}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_that_models_which_keep_a_contract_give_equal_arrays(kind: str) -> None:
    contract, old, new, other = CASES[kind]
    assert apart(contract, Pair(old, new, other)) < 1e-12


@pytest.mark.parametrize("kind", CASES)
def test_that_a_model_which_breaks_a_contract_is_found_out(kind: str) -> None:
    contract, old, (model, sizes), other = CASES[kind]

    def broken(x: Inputs) -> dict[str, Array]:
        return {name: array + 0.5 * (name.startswith("out")) for name, array in model(x).items()}

    assert apart(contract, Pair(old, (broken, sizes), other)) > 0.1


def test_that_every_kind_is_tried() -> None:
    kinds = {kind.__struct_config__.tag for kind in contracts.AnyContract.__args__}
    elsewhere = {"same_input", "kept_words"}  # all other inputs, and vocabularies of files
    assert {str(case[0].__struct_config__.tag) for case in CASES.values()} | elsewhere == kinds
