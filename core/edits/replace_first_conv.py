"""Replace the first convolution: filters, kernel, strides, padding, activation, bias, BatchNormalization after it."""

from typing import Any, ClassVar, Literal

from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.edits.insert_layer import InsertLayer
from core.edits.set_dtype import quantized
from core.errors import EditError, RuleError
from core.findings import Finding
from core.layers import table
from core.layers.axes import axes_of
from core.layers.leaves import leaf, leaf_configured, steps, wrapping
from core.model.contract import Contract
from core.model.graph import Graph, Layer
from core.model.levels import free_name, owner, with_level
from core.model.splice import insert_after, new_layer
from core.phrases import shape_words
from core.rules import (
    CenterKernel,
    Initialize,
    PiResizeKernel,
    ProjectFilters,
    ResizeKernel,
    Rule,
    SliceFilters,
    parse_rule,
)
from core.surgery import contracts
from core.surgery.anatomy import CONVOLUTIONS, DEPTHWISE, first_convs
from core.surgery.baked import baked_findings, rebaked
from core.surgery.carrying import with_article
from core.surgery.neutral import neutral_norm
from core.surgery.recording import configured, forget, record
from core.surgery.widening import widen
from core.surgery.windows import KernelFit, fitted, output_shapes, padding_layer, resized_map, spatial_sizes

Size = int | tuple[int, ...]
_EPSILON = 1e-3
_MOST = 65_536
_AFFINE = ("linear", None)
_ACROSS = ("softmax", "log_softmax")
"""Activations that are taken over all filters at once."""


class ReplaceFirstConv(Edit, frozen=True, kw_only=True, tag="replace_first_conv"):
    """What is left out stays as it was. `layer` is found when there is one first convolution; a convolution inside a
    wrapper is named by the wrapper or by its own path in it (`normed/conv`).

    `filters_rule`: `auto` is `project`, which keeps the old filters first and adds a 1x1 convolution back to the old
    width, so that every later weight stays; `widen` copies filters and lets the layers that consume them follow;
    `slice` keeps the first filters and leaves the rest to the layers behind. `kernel_rule`: `auto` is `center`, for
    patch embeddings (kernel = strides) `pi_resize`. Order after the edit: convolution, BatchNormalization, activation,
    projection.
    """

    about: ClassVar[str] = "layer"
    layer: str | None = None
    filters: int | None = None
    kernel_size: Size | None = None
    strides: Size | None = None
    padding: Literal["same", "valid"] | None = None
    activation: str | None = None
    use_bias: bool | None = None
    batch_norm: bool = False
    kernel_rule: Literal["auto", "center", "resize", "pi_resize", "initialize"] = "auto"
    filters_rule: Literal["auto", "project", "widen", "slice", "initialize"] = "auto"
    seed: int = 0

    def check(self) -> None:
        """Numbers from 1, and none that no machine holds."""
        for field in ("filters", "kernel_size", "strides"):
            value = getattr(self, field)
            for one in value if isinstance(value, tuple) else (value,):
                if one is not None and one < 1:
                    raise EditError(f"{field} must be at least 1, not {one}.")
                if one is not None and one > _MOST:
                    raise EditError(f"{field} must be at most {_MOST}, not {one}.")
        if self.seed < 0:
            raise EditError(f"seed must be 0 or more, not {self.seed}.")

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the new convolution in the old one's place (and name), and what comes with it.

        Other strides let other sizes arrive later: padding by size parity follows.
        """
        self.check()
        before = graph
        path = self.target(graph)
        old = graph.find(path)
        if quantized(leaf(old).config):
            raise EditError(f"{path} is quantized, so its kernel cannot be changed; dequantize it first.")
        new = self._configured(old)
        wide = self._width(old)
        fit = self._fit(graph, path, old)
        new = self._kernel_rules(old, new, fit)
        graph = graph.with_layer(path, new)
        if leaf(old).config.get("padding") == "valid":
            graph = self._padding(graph, path, fit)
        if wide is not None and self._filters_rule() == "widen":
            graph = widen(graph, path, int(leaf(old).config["filters"]), wide)
        elif wide is not None:
            graph = graph.with_layer(path, self._filter_rules(graph.find(path)))
        changed = self._followers(graph, path, old)
        after = context.settled(changed, lambda now: rebaked(before, now))
        losses = self._losses(old, fit)
        exact = not losses and (fit is None or fit.exact)
        baked = baked_findings(before, after) if self.strides is not None else ()
        told: tuple[Finding, ...] = ()
        if losses:
            message = f"{path} changes what it computes ({', '.join(losses)}). Verify shows the drift."
            told = (Finding("info", "adapt.lossy", path, message),)
        elif not exact and fit is not None:
            told = (resized_map(before, path, old, fit, InsertLayer),)
        return Outcome(after, self._contracts(before, after, old, exact), (*told, *baked))

    def _contracts(self, before: Graph, after: Graph, old: Layer, exact: bool) -> tuple[Contract, ...]:
        """The same input gives the same output where nothing but room was added."""
        if self._strides_change(old) or self._padding_changes(old) or self._moved_activation(old) is not None:
            return ()
        if not exact and output_shapes(before) != output_shapes(after):
            return ()
        return (contracts.SameInput(name="new(x) == old(x)", exact=exact),)

    def summary(self) -> str:
        """For the recipe list."""
        parts = [f"{self.filters} filters"] if self.filters else []
        if self.kernel_size:
            size = self.kernel_size
            parts.append(shape_words(size) if isinstance(size, tuple) else shape_words((size, size)))
        if self.strides:
            parts.append(f"strides {shape_words(self.strides) if isinstance(self.strides, tuple) else self.strides}")
        parts += [self.padding] if self.padding else []
        parts += [self.activation] if self.activation else []
        parts += ["BatchNormalization"] if self.batch_norm else []
        return f"First convolution{' ' + self.layer if self.layer else ''}: {', '.join(parts) or 'as it was'}"

    def target(self, graph: Graph) -> str:
        """The path of the convolution, or of the wrapper around it. Raises `EditError` when it has to be named."""
        if self.layer is None:
            found = first_convs(graph)
            if len(found) == 1:
                return found[0]
            if not found:
                raise EditError(
                    "No convolution receives the channels of an input directly, so there is no first convolution "
                    "to replace."
                )
            raise EditError(f"The model has {len(found)} first convolutions ({', '.join(found)}); name one with layer.")
        path = wrapping(graph, self.layer)
        if path is None:
            near = ", ".join(first_convs(graph)) or "none"
            raise EditError(f"There is no layer {self.layer!r}; first convolutions: {near}.")
        layer = graph.find(path)
        if leaf(layer).class_name in CONVOLUTIONS | DEPTHWISE and layer.inner is None:
            return path
        if layer.opaque:
            raise EditError(
                f"The code of {path} ({layer.class_name}) is not available, so a convolution in it cannot be changed; "
                "name the file that defines it."
            )
        within = [one for one in first_convs(graph) if one.startswith(f"{path}/")]
        if len(within) == 1:
            return within[0]
        more = f"; name one of {', '.join(within)}" if within else ""
        raise EditError(f"{self.layer} is {with_article(leaf(layer).class_name)}, not a convolution{more}.")

    def _filters_rule(self) -> str:
        return "project" if self.filters_rule == "auto" else self.filters_rule

    def _width(self, old: Layer) -> int | None:
        """The new number of filters, or `None` when it stays."""
        width = leaf(old).config.get("filters")
        return self.filters if self.filters is not None and self.filters != width else None

    def _configured(self, old: Layer) -> Layer:
        fields: dict[str, Any] = {}
        inside = leaf(old)
        if self.filters is not None:
            if inside.class_name in DEPTHWISE:
                raise EditError(
                    f"{old.name} is a {inside.class_name}, which has a set of filters for each channel instead of a "
                    "number of filters; change depth_multiplier with replace_layer."
                )
            groups = int(inside.config.get("groups") or 1)
            if self.filters % groups:
                raise EditError(f"{self.filters} filters cannot be divided into the {groups} groups of {old.name}.")
            fields["filters"] = self.filters
        if self.kernel_size is not None:
            fields["kernel_size"] = list(spatial_sizes(self.kernel_size, inside))
        if self.strides is not None:
            fields["strides"] = list(spatial_sizes(self.strides, inside))
        if self.padding is not None:
            fields["padding"] = self.padding
        if self.use_bias is not None:
            fields["use_bias"] = self.use_bias
        if self.activation is not None:
            fields["activation"] = self.activation
        if self.batch_norm:
            fields["activation"] = "linear"
        return leaf_configured(old, **fields)

    def _fit(self, graph: Graph, path: str, old: Layer) -> KernelFit | None:
        """Where the old taps go in a kernel of another size; `None` when the size stays."""
        inside = leaf(old)
        if self.kernel_size is None:
            return None
        sizes = spatial_sizes(self.kernel_size, inside)
        if sizes == spatial_sizes(inside.config["kernel_size"], inside):
            return None
        moved = self._strides_change(old) or self._padding_changes(old)
        return fitted(graph, path, old, sizes, moved)

    def _kernel_rules(self, old: Layer, new: Layer, fit: KernelFit | None) -> Layer:
        if self.kernel_size is None:
            return new
        inside = leaf(old)
        sizes = spatial_sizes(self.kernel_size, inside)
        for weight in new.weights:
            axes = axes_of(new, weight.name, weight.shape)
            if not axes.spatial:
                continue
            taps = tuple(weight.shape[axis] for axis in axes.spatial)
            if taps == sizes and self.kernel_rule != "initialize":
                new = forget(new, weight.name, "kernel")
                continue
            rule: Rule
            if self.kernel_rule == "initialize":
                rule = Initialize(seed=self.seed)
            elif self.kernel_rule == "resize":
                rule = ResizeKernel()
            elif self.kernel_rule == "pi_resize" or (self.kernel_rule == "auto" and self._patches(old)):
                rule = PiResizeKernel()
            elif fit is None:
                continue  # the size stays, and with it what an earlier step made of the source's taps
            else:
                rule = fit.rule(taps, old.rules_for(weight.name))
            new = record(new, weight.name, rule)
        return new

    def _patches(self, old: Layer) -> bool:
        """Whether the kernel is as large as its step, as in a patch embedding, and becomes one of other patches."""
        inside = leaf(old)
        before = spatial_sizes(inside.config["kernel_size"], inside)
        after = spatial_sizes(self.kernel_size or 1, inside)
        looks = table.row(inside).kind != "transposed" and min(max(before), max(after)) > 1
        return looks and before == spatial_sizes(inside.config.get("strides") or 1, inside)

    def _filter_rules(self, layer: Layer) -> Layer:
        rule = self._filters_rule()
        try:
            chosen = ProjectFilters(seed=self.seed) if rule == "project" else parse_rule(rule)
        except RuleError as error:
            raise EditError(error.message) from error
        groups = int(leaf(layer).config.get("groups") or 1)
        if groups > 1 and isinstance(chosen, (ProjectFilters, SliceFilters)):
            chosen = replace(chosen, groups=groups)
        for weight in layer.weights:
            axes = axes_of(layer, weight.name, weight.shape)
            if axes.filters is None:
                continue
            if weight.shape[axes.filters] == self.filters:
                layer = forget(layer, weight.name, "filters")
            else:
                layer = record(layer, weight.name, chosen)
        return layer

    def _padding(self, graph: Graph, path: str, fit: KernelFit | None) -> Graph:
        """An explicit padding layer before the convolution follows the kernel, so that the output keeps its size."""
        feeder = padding_layer(graph, path)
        if feeder is None:
            return graph
        layer = graph.find(feeder)
        if self.padding == "same":
            moved: Any = [[0, 0] for _ in spatial_sizes(1, leaf(graph.find(path)))]
        elif fit is not None and fit.pads is not None:
            moved = [list(pair) for pair in fit.pads]
        else:
            return graph
        return graph.with_layer(feeder, configured(layer, padding=moved if len(moved) > 1 else moved[0]))

    def _moved_activation(self, old: Layer) -> str | None:
        """An activation asked for that the convolution did not have."""
        had = leaf(old).config.get("activation")
        return self.activation if self.activation is not None and self.activation != had else None

    def _followers(self, graph: Graph, path: str, old: Layer) -> Graph:
        """BatchNormalization, activation and projection behind the convolution, at its level."""
        prefix, level = owner(graph, path)
        fresh: list[Layer] = []
        taken = {layer.name for layer in level.layers}
        inside, times = leaf(old), steps(old)
        first = inside.config.get("data_format") == "channels_first"
        dtype = {"dtype": inside.config["dtype"]} if "dtype" in inside.config else {}
        if self.batch_norm:
            norm = new_layer(
                "BatchNormalization",
                free_name(taken, f"{old.name}_bn"),
                axis=1 + times if first else -1,
                epsilon=_EPSILON,
                **dtype,
            )
            fresh.append(neutral_norm(norm) or norm)
            activation = self.activation if self.activation is not None else inside.config.get("activation")
            if activation not in _AFFINE:
                name = activation if isinstance(activation, str) else "activation"
                fresh.append(
                    new_layer("Activation", free_name(taken, f"{old.name}_{name}"), activation=activation, **dtype)
                )
        if self._width(old) is not None and self._filters_rule() == "project":
            fresh.append(_projection(free_name(taken, f"{old.name}_project"), inside, times, dtype))
        return with_level(graph, prefix, insert_after(level, old.name, fresh))

    def _losses(self, old: Layer, fit: KernelFit | None) -> list[str]:
        losses = []
        inside = leaf(old)
        if self._moved_activation(old) is not None:
            losses.append(f"the {self.activation} activation is new")
        width = self._width(old)
        if width is not None and width < inside.config["filters"]:
            gone = inside.config["filters"] - width
            losses.append(f"{gone} {'filter is' if gone == 1 else 'filters are'} dropped")
        if width is not None and self._filters_rule() in ("slice", "initialize"):
            losses.append("later layers receive different filters")
        if width is not None and inside.config.get("activation") in _ACROSS:
            losses.append(f"{inside.config['activation']} is computed over a different number of filters")
        losses += self._kernel_losses(old, fit)
        if self.use_bias is False and inside.config.get("use_bias", True):
            losses.append("the bias is dropped")
        if self._starts_over(old):
            losses.append("it starts from the source again, without the changes of earlier steps")
        if self._strides_change(old):
            losses.append("its strides change")
        if self._padding_changes(old):
            losses.append("its padding changes")
        return losses

    def _starts_over(self, old: Layer) -> bool:
        """Whether an earlier step's rules are replaced by ones that give other numbers than they gave.

        Rules are about the source's arrays, so taps, copies and a bias that were given up or made come back.
        """
        inside = leaf(old)
        if self.use_bias and not inside.config.get("use_bias", True):
            return any(weight.name.rpartition("/")[2] == "bias" for weight in old.weights)
        for weight in old.weights:
            rules = old.rules_for(weight.name)
            axes = axes_of(old, weight.name, weight.shape)
            copied = self._width(old) is not None and self._filters_rule() != "widen"
            if copied and any(rule.name in ("widen", "initialize") for rule in rules):
                return True
            grown = all(
                weight.shape[axis] <= size
                for axis, size in zip(axes.spatial, spatial_sizes(inside.config["kernel_size"], inside), strict=False)
            )
            kernels = [rule for rule in rules if rule.owns == "kernel" or rule.name == "initialize"]
            plain = grown and all(isinstance(rule, CenterKernel) for rule in kernels)
            if self.kernel_size is not None and axes.spatial and kernels and not plain:
                return True
        return False

    def _kernel_losses(self, old: Layer, fit: KernelFit | None) -> list[str]:
        """Why a kernel of another size computes something else; nothing where only the map's size is in the way."""
        if self.kernel_rule == "initialize" and self.kernel_size is not None:
            return ["the kernel is newly initialized"]
        if fit is None:
            return []
        if any(large < small for small, large in zip(fit.before, fit.after, strict=True)):
            return ["a smaller kernel sees a smaller area"]
        if self.kernel_rule in ("resize", "pi_resize") or (self.kernel_rule == "auto" and self._patches(old)):
            return ["the kernel is resized, not padded with zeros"]
        return [] if fit.exact or fit.resizes else [fit.reason]

    def _strides_change(self, old: Layer) -> bool:
        inside = leaf(old)
        if self.strides is None:
            return False
        return spatial_sizes(self.strides, inside) != spatial_sizes(inside.config.get("strides") or 1, inside)

    def _padding_changes(self, old: Layer) -> bool:
        return self.padding is not None and self.padding != leaf(old).config.get("padding")


def _projection(name: str, old: Layer, times: int, dtype: dict[str, Any]) -> Layer:
    """A 1x1 convolution back to the filters of `old` (no wrapper), inside as many TimeDistributed as that one is."""
    rank = len(spatial_sizes(old.config["kernel_size"], old))
    data = {"data_format": old.config["data_format"]} if "data_format" in old.config else {}
    config: dict[str, Any] = {
        "filters": old.config["filters"],
        "kernel_size": [1] * rank,
        "padding": "valid",
        "use_bias": False,
        **data,
        **dtype,
    }
    kind, weight = f"Conv{rank}D", "kernel"
    for _ in range(times):
        inner = {"module": "keras.layers", "class_name": kind, "config": {"name": name, **config}}
        config, kind, weight = {"layer": {**inner, "registered_name": None}}, "TimeDistributed", f"layer/{weight}"
    groups = int(old.config.get("groups") or 1)
    start = Initialize(initializer="identity", groups=groups if groups > 1 else None)
    return new_layer(kind, name, **config).with_rules(weight, (start,))
