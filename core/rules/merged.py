"""Arrays that become one: a BatchNormalization and the layer beside it, the factors of a kernel that is a product.

With `s = gamma / sqrt(variance + epsilon)` and `t = beta - mean s`, a normalization at inference is `s x + t` in each
channel. Behind a linear layer `y = W x + b` it is `(s W) x + (s b + t)`, in front of one `(W s) x + (b + W t)`.
Ioffe and Szegedy 2015, section 3.1. Numbers are reckoned in float64.

Edits record these rules as the `decode` of a weight: what earlier edits made of the arrays is inside them, and what
later ones do comes on top.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from msgspec import Struct

from core.errors import RuleError
from core.layers.axes import Axes
from core.model.graph import StoreKey
from core.phrases import shape_words
from core.rules.base import Array, Rule, sibling_name
from core.rules.chain import adapt, chain_name


class Part(Struct, frozen=True):
    """An array as it is at one step of a recipe: one of the source's (`None`: made by its rules), through its rules.

    `beside` are the layer's other arrays by name, for rules that look at them.
    """

    source: StoreKey | None
    shape: tuple[int, ...]
    rules: tuple[Any, ...] = ()
    axes: Axes = Axes()
    dtype: str = "float32"
    beside: tuple[tuple[str, "Part"], ...] = ()

    def arrays(self) -> Iterator[StoreKey]:
        """Every array of a source that its values follow from."""
        if self.source is not None:
            yield self.source
        for rule in self.rules:
            yield from rule.needs()
        for _, part in self.beside:
            yield from part.arrays()

    def value(self, siblings: Mapping[str, Array]) -> Array:
        """The array in float64."""
        given = None
        if self.source is not None:
            given = siblings[sibling_name(self.source)]
        if not self.rules and given is not None:
            found = given
        else:
            found = adapt(given, self.shape, self.axes, self.rules, _Beside(siblings, self.beside), self.dtype)
        return np.asarray(found, np.float64)


class _Beside(Mapping[str, Array]):
    """Siblings of a part: those of its own layer first."""

    def __init__(self, siblings: Mapping[str, Array], own: tuple[tuple[str, Part], ...]) -> None:
        self._siblings, self._own = siblings, dict(own)

    def __getitem__(self, name: str) -> Array:
        part = self._own.get(name)
        return self._siblings[name] if part is None else part.value(self._siblings)

    def __iter__(self) -> Iterator[str]:
        return iter({*self._siblings, *self._own})

    def __len__(self) -> int:
        return len({*self._siblings, *self._own})


class Merge(Rule, frozen=True, kw_only=True):
    """Base of the rules that make one array of several. `shape` is that of the array they make."""

    makes: ClassVar[bool] = True
    always: ClassVar[bool] = True
    shape: tuple[int, ...]

    def parts(self) -> tuple[Part | None, ...]:
        """What it is made of; `None` stands for an array that the layer does without."""
        raise NotImplementedError

    def fixed_shape(self) -> tuple[int, ...] | None:
        """The shape of the array it makes."""
        return self.shape

    def needs(self) -> tuple[StoreKey, ...]:
        """All arrays it is made of."""
        return tuple(dict.fromkeys(key for part in self.parts() if part is not None for key in part.arrays()))

    def reads(self) -> tuple[StoreKey, ...]:
        """The same: they go into the array that it makes."""
        return self.needs()

    def refusal(self, shape: tuple[int, ...], target: tuple[int, ...], axes: Axes) -> str | None:
        """It fits whatever it was recorded for."""
        return None

    def apply(self, array: Array, target: tuple[int, ...], axes: Axes, siblings: Mapping[str, Array]) -> Array:
        """The merged array, in the dtype of the source's."""
        made = self.merged(siblings)
        if made.shape != self.shape:
            raise RuleError(
                f"{self.name} produced the shape {shape_words(made.shape)}, but {shape_words(self.shape)} is needed."
            )
        return np.ascontiguousarray(made.astype(array.dtype))

    def merged(self, siblings: Mapping[str, Array]) -> Array:
        """The array in float64."""
        raise NotImplementedError


class Settled(Merge, frozen=True, kw_only=True, tag="settled"):
    """An array with what was decided for it so far."""

    own: Part

    @property
    def name(self) -> str:
        """The rules in words."""
        return chain_name(self.own.rules)

    def parts(self) -> tuple[Part | None, ...]:
        """The array alone."""
        return (self.own,)

    def reads(self) -> tuple[StoreKey, ...]:
        """What its rules say."""
        return tuple(key for rule in self.own.rules for key in rule.reads())

    def merged(self, siblings: Mapping[str, Array]) -> Array:
        """Its values."""
        return self.own.value(siblings)


class Norm(Struct, frozen=True):
    """The arrays of a BatchNormalization; `gamma` and `beta` are `None` where it has none."""

    mean: Part
    variance: Part
    gamma: Part | None = None
    beta: Part | None = None
    epsilon: float = 1e-3

    def parts(self) -> tuple[Part | None, ...]:
        """Its arrays."""
        return self.gamma, self.beta, self.mean, self.variance

    def coefficients(self, siblings: Mapping[str, Array]) -> tuple[Array, Array]:
        """`(s, t)` of `s x + t`."""
        scale = 1.0 / np.sqrt(self.variance.value(siblings) + self.epsilon)
        if self.gamma is not None:
            scale = scale * self.gamma.value(siblings)
        shift = -self.mean.value(siblings) * scale
        if self.beta is not None:
            shift = shift + self.beta.value(siblings)
        return scale, shift


class FoldAfter(Merge, frozen=True, kw_only=True, tag="fold_batch_norm"):
    """`role` kernel: `W s`, `s` over the axes `over`; `role` bias: `s b + t` (`own` is `None` where there was no b)."""

    role: Literal["kernel", "bias"]
    own: Part | None
    norm: Norm
    over: tuple[int, ...]
    spread: tuple[int, ...] = ()

    def parts(self) -> tuple[Part | None, ...]:
        """The layer's array and the normalization's."""
        return (self.own, *self.norm.parts())

    def merged(self, siblings: Mapping[str, Array]) -> Array:
        """Scaled, and for a bias shifted too. A bias of fewer axes is spread over those of `spread` first."""
        scale, shift = self.norm.coefficients(siblings)
        lies = tuple(size if axis in self.over else 1 for axis, size in enumerate(self.shape))
        own = np.zeros(self.spread or self.shape) if self.own is None else self.own.value(siblings)
        if self.spread:
            own = own.reshape(self.spread)
        made = own * scale.reshape(lies)
        if self.role == "bias":
            made = made + shift.reshape(lies)
        return np.broadcast_to(made, self.shape)


class FoldBefore(Merge, frozen=True, kw_only=True, tag="fold_batch_norm_before"):
    """A normalization in front of a linear layer. `kind` says how the kernel meets the channels:

    `sum`: kernel `(..., channels / groups, filters)`; `turned`: `(..., filters, channels)`; `depthwise`:
    `(..., channels, multiplier)`, followed by `pointwise` for a separable convolution; `einsum`: as `equation` says
    which of the kernel's labels are the channels, which are summed, and which are those of the bias.
    Behind a Flatten each channel stands for `around[0]` rows before and `around[1]` rows after.
    """

    role: Literal["kernel", "bias"]
    kind: Literal["sum", "turned", "depthwise", "einsum"]
    kernel: Part
    norm: Norm
    own: Part | None = None
    pointwise: Part | None = None
    groups: int = 1
    around: tuple[int, int] = (1, 1)
    equation: str = ""
    spread: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """One name for both sides."""
        return "fold_batch_norm"

    def parts(self) -> tuple[Part | None, ...]:
        """The layer's arrays and the normalization's."""
        if self.role == "kernel":
            return (self.kernel, *self.norm.parts())
        return (self.own, self.kernel, self.pointwise, *self.norm.parts())

    def merged(self, siblings: Mapping[str, Array]) -> Array:
        """The kernel scaled, or the bias with what the shift comes to behind the kernel."""
        scale, shift = (self._rows(one) for one in self.norm.coefficients(siblings))
        kernel = self.kernel.value(siblings)
        if self.role == "kernel":
            return self._scaled(kernel, scale)
        moved = self._moved(kernel, shift, siblings)
        if self.own is None:
            return np.broadcast_to(moved, self.shape)
        own = self.own.value(siblings)
        return np.broadcast_to((own.reshape(self.spread) if self.spread else own) + moved, self.shape)

    def _rows(self, vector: Array) -> Array:
        before, after = self.around
        return np.broadcast_to(vector[None, :, None], (before, len(vector), after)).reshape(-1)

    def _scaled(self, kernel: Array, scale: Array) -> Array:
        if self.kind == "turned":
            return kernel * scale
        if self.kind == "depthwise":
            return kernel * scale[:, None]
        if self.kind == "einsum":
            labels, channel, _ = self.equation.split("|")
            return kernel * scale.reshape([-1 if label == channel else 1 for label in labels])
        return self._grouped(kernel, scale)

    def _grouped(self, kernel: Array, vector: Array) -> Array:
        *taps, channels, filters = kernel.shape
        each = kernel.reshape(*taps, channels, self.groups, filters // self.groups)
        return (each * vector.reshape(self.groups, channels).T[:, :, None]).reshape(kernel.shape)

    def _moved(self, kernel: Array, shift: Array, siblings: Mapping[str, Array]) -> Array:
        """What the shift adds to each output."""
        if self.kind == "einsum":
            labels, channel, kept = self.equation.split("|")
            return np.asarray(np.einsum(f"{labels},{channel}->{kept}", kernel, shift))
        scaled = self._scaled(kernel, shift)
        if self.kind == "turned":
            return np.asarray(scaled.reshape(-1, *scaled.shape[-2:]).sum(axis=(0, 2)))
        if self.kind == "sum":
            return np.asarray(scaled.reshape(-1, scaled.shape[-1]).sum(axis=0))
        moved: Array = scaled.reshape(-1, scaled.shape[-2] * scaled.shape[-1]).sum(axis=0)
        if self.pointwise is None:
            return moved
        pointwise = self.pointwise.value(siblings)
        return np.asarray(moved @ pointwise.reshape(-1, pointwise.shape[-1]))


class UnitColumns(Merge, frozen=True, kw_only=True, tag="fold_weight_norm"):
    """`g v / |v|`, the norm over all axes but the last, or over `axes`; as `tf.nn.l2_normalize`, squares from 1e-12 up.

    Salimans and Kingma 2016. `minimum` is 0 where the code divides by the norm itself.
    """

    direction: Part
    length: Part
    minimum: float = 1e-12

    def parts(self) -> tuple[Part | None, ...]:
        """`v` and `g`."""
        return self.direction, self.length

    def merged(self, siblings: Mapping[str, Array]) -> Array:
        """The kernel that the layer multiplies with."""
        v = self.direction.value(siblings)
        squares = np.sum(v**2, axis=tuple(range(v.ndim - 1)), keepdims=True)
        return np.asarray(v / np.sqrt(np.maximum(squares, self.minimum)) * self.length.value(siblings).reshape(-1))


class LowRank(Merge, frozen=True, kw_only=True, tag="fold_lora"):
    """`W + scale A B` (Hu et al. 2021)."""

    kernel: Part
    down: Part
    up: Part
    scale: float = 1.0

    def parts(self) -> tuple[Part | None, ...]:
        """The kernel and its update's factors."""
        return self.kernel, self.down, self.up

    def merged(self, siblings: Mapping[str, Array]) -> Array:
        """The sum."""
        return self.kernel.value(siblings) + self.scale * (self.down.value(siblings) @ self.up.value(siblings))
