"""What the window asks beside plans, as values: layer classes and their arguments, presets that fit, weights."""

from typing import Any, Literal

from msgspec import Struct

ArgumentKind = Literal["whole", "number", "flag", "choice", "sizes", "text", "json"]


class Argument(Struct, frozen=True, gc=False):
    """One argument of a layer's constructor. `main` ones are those people set; `options` are the choices there are.

    `optional` arguments take `None`. A `json` argument is anything that has no better form.
    """

    name: str
    kind: ArgumentKind
    default: Any = None
    required: bool = False
    main: bool = False
    optional: bool = False
    options: tuple[str, ...] = ()


class LayerClass(Struct, frozen=True, gc=False):
    """A built-in layer class: its name, the family it is listed under, what it is for, its arguments in order."""

    name: str
    family: str
    text: str
    arguments: tuple[Argument, ...]


class RecipeCheck(Struct, frozen=True, gc=False):
    """Whether a recipe plans cleanly on the current source, and the first reason why not."""

    ok: bool
    reason: str = ""


class WeightMatch(Struct, frozen=True, gc=False):
    """One weight of the model beside the array that another file would give it.

    `fate` and `rule` are the plan's; `source` is `""` where the file gives nothing.
    """

    layer: str
    weight: str
    shape: tuple[int, ...]
    source: str = ""
    source_shape: tuple[int, ...] | None = None
    fate: str = "copied"
    rule: str = ""


class Matching(Struct, frozen=True):
    """Both sides of a transfer of weights, aligned: rows by weight, then the file's layers without a use.

    `ours` and `theirs` are all the layers that can be paired by hand, `paired` counts the layers that take something.
    `given`, `unfit` and `weights` count those that get an array of the file, those that do not fit, and all; `rows` may
    be the first of them.
    """

    rows: tuple[WeightMatch, ...]
    left_over: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()
    paired: int = 0
    problem: str = ""
    given: int = 0
    unfit: int = 0
    weights: int = 0
