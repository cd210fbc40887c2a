"""Hand-made graphs for the canvas's tests."""

from collections.abc import Iterable
from typing import Any

from core.model.graph import Call, Graph, Layer, TensorRef, TensorSpec, Weight

Step = tuple[str, str, tuple[str, ...]]


def layer(
    name: str,
    class_name: str,
    *sources: str,
    shape: tuple[int | None, ...] | None = (None, 8, 8, 4),
    weights: Iterable[str] = (),
    inner: Graph | None = None,
    trainable: bool = True,
    origin: str | None = "",
    **config: Any,
) -> Layer:
    """A layer called once; `origin=""` is its own name."""
    call = Call(tuple(TensorRef(source) for source in sources), {}, (TensorSpec(shape),))
    return Layer(
        name,
        class_name,
        config=config,
        weights=tuple(Weight(weight, (3, 3)) for weight in weights),
        calls=(call,),
        inner=inner,
        trainable=trainable,
        origin=name if origin == "" else origin,
    )


def graph(*layers: Layer, name: str = "model") -> Graph:
    """A graph of layers."""
    return Graph(name, layers=layers)


def of(steps: Iterable[Step]) -> Graph:
    """A graph of (name, class, sources)."""
    return graph(*(layer(name, class_name, *sources) for name, class_name, sources in steps))


def chain(length: int, class_name: str = "Dense") -> Graph:
    """`input` and `length` layers after each other."""
    names = ["input", *(f"l{number}" for number in range(length))]
    return of(
        (name, "InputLayer" if number == 0 else class_name, (names[number - 1],) if number else ())
        for number, name in enumerate(names)
    )


def residual(blocks: int) -> Graph:
    """Blocks of two convolutions with a skip connection."""
    steps: list[Step] = [("input", "InputLayer", ())]
    last = "input"
    for number in range(blocks):
        steps += [
            (f"b{number}_a", "Conv2D", (last,)),
            (f"b{number}_a_bn", "BatchNormalization", (f"b{number}_a",)),
            (f"b{number}_a_relu", "Activation", (f"b{number}_a_bn",)),
            (f"b{number}_b", "Conv2D", (f"b{number}_a_relu",)),
            (f"b{number}_add", "Add", (last, f"b{number}_b")),
        ]
        last = f"b{number}_add"
    return of(steps)


def inception() -> Graph:
    """Four branches of different lengths, joined."""
    steps: list[Step] = [("input", "InputLayer", ()), ("stem", "Conv2D", ("input",))]
    ends = []
    for branch, length in enumerate((1, 2, 3, 2)):
        last = "stem"
        for number in range(length):
            name = f"br{branch}_{number}"
            steps.append((name, "Conv2D", (last,)))
            last = name
        ends.append(last)
    steps += [("join", "Concatenate", tuple(ends)), ("head", "Dense", ("join",))]
    return of(steps)


def unet(depth: int) -> Graph:
    """Nested skip connections."""
    steps: list[Step] = [("input", "InputLayer", ())]
    last, skips = "input", []
    for number in range(depth):
        steps += [(f"down{number}", "Conv2D", (last,)), (f"pool{number}", "MaxPooling2D", (f"down{number}",))]
        skips.append(f"down{number}")
        last = f"pool{number}"
    for number in reversed(range(depth)):
        steps += [
            (f"up{number}", "Conv2DTranspose", (last,)),
            (f"join{number}", "Concatenate", (f"up{number}", skips[number])),
        ]
        last = f"join{number}"
    return of(steps)


def backbone() -> Graph:
    """What is inside of `nested`."""
    return graph(
        layer("in", "InputLayer", shape=(None, 32, 32, 3)),
        layer("conv", "Conv2D", "in", weights=("kernel", "bias"), filters=8, kernel_size=[3, 3]),
        layer("bn", "BatchNormalization", "conv", weights=("gamma",)),
        layer("out", "GlobalAveragePooling2D", "bn"),
        name="backbone",
    )


def nested() -> Graph:
    """A model inside a model, with a head."""
    return graph(
        layer("input", "InputLayer"),
        layer("scale", "Rescaling", "input"),
        layer("backbone", "Functional", "scale", inner=backbone()),
        layer("dense", "Dense", "backbone", weights=("kernel",)),
    )


def shared() -> Graph:
    """Two inputs through one nested encoder and one dense layer."""
    spec = (TensorSpec((None, 4)),)
    encoder = Layer(
        "encoder",
        "Sequential",
        inner=backbone(),
        origin="encoder",
        calls=(Call((TensorRef("left"),), {}, spec), Call((TensorRef("right"),), {}, spec)),
    )
    project = Layer(
        "project",
        "Dense",
        origin="project",
        weights=(Weight("kernel", (4, 4)),),
        calls=(Call((TensorRef("encoder", 0),), {}, spec), Call((TensorRef("encoder", 1),), {}, spec)),
    )
    join = Layer(
        "join",
        "Subtract",
        origin="join",
        calls=(Call(([TensorRef("project", 0), TensorRef("project", 1)],), {}, spec),),
    )
    return graph(layer("left", "InputLayer"), layer("right", "InputLayer"), encoder, project, join)


def opaque(count: int) -> Graph:
    """A subclassed model: layers without calls."""
    return Graph("custom", opaque=True, layers=tuple(Layer(f"l{n}", "Dense", origin=f"l{n}") for n in range(count)))
