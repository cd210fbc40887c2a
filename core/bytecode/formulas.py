"""From an expression to Keras 3's own operations: what a Lambda computes, as steps that need no stored code.

Names mean what they mean inside a Lambda that Keras loads: `K` (or `backend`) is Keras's backend module, `tf`
TensorFlow. A formula that could mean two things, because versions of a library differ, is not `certain`.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from core.bytecode.calls import Bound, Recipe, find_recipe, resolve
from core.bytecode.constants import NotConstant, Number, constant, line, numbers
from core.bytecode.symbols import (
    Arg,
    Binary,
    Called,
    Const,
    Expression,
    Item,
    Name,
    Negative,
    Sequence,
    Slice,
    text,
)

_OPERATORS = {
    "+": "Add", "-": "Subtract", "*": "Multiply", "/": "TrueDivide", "**": "Power", "//": "FloorDivide", "%": "Mod",
}  # fmt: skip
MAX_STEPS = 40


class Ref(Struct, frozen=True):
    """The result of a step, or input number `-1 - step` when negative."""

    step: int


class Step(Struct, frozen=True):
    """One operation or layer. `args` are `Ref`s, lists of such, and constants in Keras 3's serialised form."""

    module: str
    class_name: str
    config: dict[str, Any]
    args: tuple[Any, ...]


class Formula(Struct, frozen=True):
    """What a function of tensors computes. `inputs` is 0 for one tensor, else the length of the list it takes.

    `line` is its scale and offset where it is `x * scale + offset`.
    """

    text: str
    steps: tuple[Step, ...]
    output: Ref
    inputs: int = 0
    certain: bool = True
    line: tuple[Number, Number] | None = None


class NoFormula(Exception):
    """The expression is none of the known patterns."""


def formula_of(one: Expression, argument: str, inputs: int = 0) -> Formula | None:
    """The formula of an expression whose tensors come as `argument`: one, or a list of `inputs` many."""
    lowering = _Lowering(argument, inputs)
    try:
        output = lowering.tensor(one)
    except (NoFormula, NotConstant, RecursionError):
        return None
    straight = line(one, argument) if not inputs else None
    return Formula(text(one), tuple(lowering.steps), output, inputs, lowering.certain, straight)


class _Lowering:
    """Collects steps; an expression used twice (the same object) is computed once."""

    def __init__(self, argument: str, inputs: int) -> None:
        self.argument = argument
        self.inputs = inputs
        self.steps: list[Step] = []
        self.known: dict[int, Ref] = {}
        self.certain = True

    def add(self, module: str, class_name: str, config: Mapping[str, Any], *args: Any) -> Ref:
        if len(self.steps) >= MAX_STEPS:
            raise NoFormula
        self.steps.append(Step(module, class_name, dict(config), args))
        return Ref(len(self.steps) - 1)

    def tensor(self, one: Expression) -> Ref:
        """The step whose result the expression is. Raises `NoFormula`."""
        if id(one) not in self.known:
            self.known[id(one)] = self.made(one)
        return self.known[id(one)]

    def made(self, one: Expression) -> Ref:
        if isinstance(one, Arg):
            if one.name != self.argument or self.inputs:
                raise NoFormula
            return Ref(-1)
        if isinstance(one, Binary):
            return self.binary(_OPERATORS.get(one.operator), one.left, one.right)
        if isinstance(one, Negative):
            return self.add("keras.src.ops.numpy", "Negative", {}, self.tensor(one.of))
        if isinstance(one, Item):
            return self.item(one)
        if isinstance(one, Called):
            return self.called(one)
        raise NoFormula

    def binary(self, class_name: str | None, left: Expression, right: Expression) -> Ref:
        if class_name is None:
            raise NoFormula
        args = (self.tensor_or_number(left), self.tensor_or_number(right))
        if not any(isinstance(arg, Ref) for arg in args):
            raise NoFormula
        return self.add("keras.src.ops.numpy", class_name, {}, *args)

    def tensor_or_number(self, one: Expression) -> Any:
        try:
            value = numbers(one)
        except NotConstant:
            return self.tensor(one)
        if isinstance(value, tuple):
            return {"class_name": "__numpy__", "config": {"value": list(value), "dtype": "float32"}}
        whole = isinstance(one, Const) and isinstance(one.value, int)
        return int(value) if whole else value

    def item(self, one: Item) -> Ref:
        if isinstance(one.of, Arg) and one.of.name == self.argument and self.inputs:
            index = constant(one.key)
            if not isinstance(index, int) or isinstance(index, bool) or not -self.inputs <= index < self.inputs:
                raise NoFormula
            return Ref(-1 - index % self.inputs)
        parts = one.key.items if isinstance(one.key, Sequence) else (one.key,)
        if isinstance(one.key, Const) and isinstance(one.key.value, tuple):
            parts = tuple(Const(value=value) for value in one.key.value)
        keys = [_key(part) for part in parts]
        if isinstance(keys[0], int):
            raise NoFormula  # one sample of the batch, or one tensor of a list: the code does not say which
        return self.add("keras.src.ops.numpy", "GetItem", {}, self.tensor(one.of), keys if len(keys) > 1 else keys[0])

    def called(self, one: Called) -> Ref:
        if not isinstance(one.function, Name):
            raise NoFormula
        family, word = resolve(one.function.dotted)
        recipe = find_recipe(family, word)
        if recipe is None:
            raise NoFormula
        bound = recipe.bind(one.args, one.kwargs)
        if bound is None:
            raise NoFormula
        self.certain = self.certain and recipe.certain
        return self.follow(recipe, bound)

    def follow(self, recipe: Recipe, bound: Bound) -> Ref:
        tensors = tuple(self.listed(bound[name]) if name in recipe.lists else self.operand(bound[name], recipe)
                        for name in recipe.tensors)  # fmt: skip
        config = recipe.config({name: value for name, value in bound.items() if name not in recipe.tensors})
        if config is None:
            raise NoFormula
        if recipe.before is not None:  # what Keras's backend does first
            class_name, number = recipe.before
            tensors = (self.add("keras.src.ops.numpy", class_name, {}, tensors[0], number), *tensors[1:])
        return self.add(recipe.module, recipe.class_name, config, *tensors)

    def operand(self, one: Expression, recipe: Recipe) -> Any:
        return self.tensor_or_number(one) if len(recipe.tensors) > 1 else self.tensor(one)

    def listed(self, one: Expression) -> list[Ref]:
        """A list of tensors: the argument itself, or one written in the code."""
        if isinstance(one, Arg) and one.name == self.argument and self.inputs:
            return [Ref(-1 - number) for number in range(self.inputs)]
        if not isinstance(one, Sequence) or not one.items:
            raise NoFormula
        return [self.tensor(item) for item in one.items]


def _key(part: Expression) -> Any:
    """One part of what stands in brackets, serialised as Keras does it."""
    if isinstance(part, Slice):
        fields = {name: constant(getattr(part, name)) for name in ("start", "stop", "step")}
        if not all(value is None or _is_index(value) for value in fields.values()):
            raise NoFormula
        # Python 2 writes x[1:] with the largest index there is
        fields["stop"] = None if (fields["stop"] or 0) >= 2**31 - 1 else fields["stop"]
        return {"class_name": "__slice__", "config": fields}
    value = constant(part)
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if value is None or _is_index(value):
        return value
    raise NoFormula


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
