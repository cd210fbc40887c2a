"""Replace the first convolution: filters, kernel, strides, padding, activation, bias, BatchNormalization after it."""

from typing import Any, Literal

from core.edits import contracts
from core.edits.anatomy import CONVOLUTIONS, first_convs
from core.edits.baked import baked_findings, rebaked
from core.edits.base import Edit
from core.edits.neutral import neutral_norm
from core.edits.recording import configured, forget, free_name, owner, record, with_level
from core.edits.set_dtype import quantized
from core.edits.splice import insert_after, new_layer
from core.edits.widening import widen
from core.edits.windows import explicit_pads, output_shapes, padding_layer, shrinking_map, spatial_sizes
from core.errors import EditError, RuleError
from core.findings import Finding
from core.graph import Graph, Layer
from core.plan import Contract
from core.rules import CenterKernel, Initialize, PiResizeKernel, ProjectFilters, ResizeKernel, Rule, parse_rule
from core.rules.axes import axes_of
from core.rules.kernels import center_offset

Size = int | tuple[int, ...]
_EPSILON = 1e-3
_MOST = 65_536
_AFFINE = ("linear", None)


class ReplaceFirstConv(Edit, frozen=True, kw_only=True, tag="replace_first_conv"):
    """What is left out stays as it was. `layer` is found when there is one first convolution.

    `filters_rule`: `auto` is `project`, which keeps the old filters first and adds a 1x1 convolution back to the old
    width, so that every later weight stays; `widen` copies filters and lets the layers that consume them follow;
    `slice` keeps the first filters and leaves the rest to the layers behind. `kernel_rule`: `auto` is `center`, for
    patch embeddings (kernel = strides) `pi_resize`. Order after the edit: convolution, BatchNormalization, activation,
    projection.
    """

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
                    raise EditError(f"{field} must be whole numbers from 1, not {one}.")
                if one is not None and one > _MOST:
                    raise EditError(f"{field} may be up to {_MOST}, not {one}.")
        if self.seed < 0:
            raise EditError(f"seed must be 0 or more, not {self.seed}.")

    def apply(self, graph: Graph) -> Graph:
        """The graph with the new convolution in the old one's place (and name), and what comes with it."""
        self.check()
        path = self.target(graph)
        old = graph.find(path)
        if quantized(old.config):
            raise EditError(f"{path} holds quantized numbers, whose kernel cannot be changed; dequantize it first.")
        new = self._configured(old)
        wide = self._width(old)
        new = self._kernel_rules(old, new)
        graph = graph.with_layer(path, new)
        graph = self._padding(graph, path, old, new)
        if wide is not None and self._filters_rule() == "widen":
            graph = widen(graph, path, int(old.config["filters"]), wide)
        elif wide is not None:
            graph = graph.with_layer(path, self._filter_rules(graph.find(path)))
        return self._followers(graph, path, old)

    def settle(self, before: Graph, after: Graph) -> Graph:
        """Other strides let other sizes arrive later: padding by size parity follows."""
        return rebaked(before, after)

    def contracts(self, before: Graph, after: Graph) -> tuple[Contract, ...]:
        """The same input gives the same output where nothing but room was added."""
        path = self.target(before)
        old = before.find(path)
        strides = self._strides_change(old)
        padded = self.padding is not None and self.padding != old.config.get("padding")
        if strides or padded or self._moved_activation(old) is not None:
            return ()
        exact = self._exact(before, path, old)
        if not exact and output_shapes(before) != output_shapes(after):
            return ()
        return (contracts.same_input("new(x) == old(x)", exact),)

    def findings(self, before: Graph, after: Graph) -> tuple[Finding, ...]:
        """What is only nearly kept, and what follows the sizes that other strides let through."""
        path = self.target(before)
        old = before.find(path)
        baked = baked_findings(before, after) if self.strides is not None else ()
        if self._exact(before, path, old):
            return baked
        losses = self._losses(old)
        if not losses:
            return (shrinking_map(before, path, old, spatial_sizes(self.kernel_size or 1, old)), *baked)
        message = f"{path} changes what it computes ({', '.join(losses)}). Verify shows the drift."
        return (Finding("info", "adapt.lossy", path, message), *baked)

    def summary(self) -> str:
        """For the recipe list."""
        parts = [f"{self.filters} filters"] if self.filters else []
        if self.kernel_size:
            size = self.kernel_size
            parts.append("x".join(map(str, size)) if isinstance(size, tuple) else f"{size}x{size}")
        if self.strides:
            parts.append(f"strides {self.strides}")
        parts += [self.padding] if self.padding else []
        parts += [self.activation] if self.activation else []
        parts += ["BatchNormalization"] if self.batch_norm else []
        return f"First convolution{' ' + self.layer if self.layer else ''}: {', '.join(parts) or 'as it was'}"

    def target(self, graph: Graph) -> str:
        """The path of the convolution. Raises `EditError` when it has to be named."""
        if self.layer is None:
            found = first_convs(graph)
            if len(found) == 1:
                return found[0]
            known = ", ".join(found) or "none was found"
            raise EditError(f"The model has {len(found)} first convolutions ({known}); name one with layer.")
        try:
            layer = graph.find(self.layer)
        except KeyError:
            near = ", ".join(first_convs(graph)) or "none"
            raise EditError(f"There is no layer {self.layer!r}; first convolutions: {near}.") from None
        if layer.class_name not in CONVOLUTIONS:
            raise EditError(f"{self.layer} is a {layer.class_name}, no convolution.")
        return self.layer

    def _filters_rule(self) -> str:
        return "project" if self.filters_rule == "auto" else self.filters_rule

    def _width(self, old: Layer) -> int | None:
        """The new number of filters, or `None` when it stays."""
        width = old.config.get("filters")
        return self.filters if self.filters is not None and self.filters != width else None

    def _configured(self, old: Layer) -> Layer:
        fields: dict[str, Any] = {}
        if self.filters is not None:
            groups = int(old.config.get("groups") or 1)
            if self.filters % groups:
                raise EditError(f"{old.name} has {groups} groups; {self.filters} filters do not divide into them.")
            fields["filters"] = self.filters
        if self.kernel_size is not None:
            fields["kernel_size"] = list(spatial_sizes(self.kernel_size, old))
        if self.strides is not None:
            fields["strides"] = list(spatial_sizes(self.strides, old))
        if self.padding is not None:
            fields["padding"] = self.padding
        if self.use_bias is not None:
            fields["use_bias"] = self.use_bias
        if self.activation is not None:
            fields["activation"] = self.activation
        if self.batch_norm:
            fields["activation"] = "linear"
        return configured(old, **fields)

    def _kernel_rules(self, old: Layer, new: Layer) -> Layer:
        if self.kernel_size is None:
            return new
        sizes = spatial_sizes(self.kernel_size, old)
        strides = spatial_sizes(old.config.get("strides", 1), old)
        patches = spatial_sizes(old.config["kernel_size"], old) == strides
        for weight in new.weights:
            axes = axes_of(new, weight.name, weight.shape)
            if not axes.spatial:
                continue
            if tuple(weight.shape[axis] for axis in axes.spatial) == sizes:
                new = forget(new, weight.name, "kernel")
                continue
            rule: Rule = CenterKernel()
            if self.kernel_rule == "auto" and patches and max(sizes) > 1:
                rule = PiResizeKernel()
            elif self.kernel_rule == "initialize":
                rule = Initialize(seed=self.seed)
            elif self.kernel_rule != "auto":
                rule = {"center": CenterKernel(), "resize": ResizeKernel(), "pi_resize": PiResizeKernel()}[
                    self.kernel_rule
                ]
            new = record(new, weight.name, rule)
        return new

    def _filter_rules(self, layer: Layer) -> Layer:
        rule = self._filters_rule()
        try:
            chosen = ProjectFilters(seed=self.seed) if rule == "project" else parse_rule(rule)
        except RuleError as error:
            raise EditError(error.message) from error
        for weight in layer.weights:
            axes = axes_of(layer, weight.name, weight.shape)
            if axes.filters is None:
                continue
            if weight.shape[axes.filters] == self.filters:
                layer = forget(layer, weight.name, "filters")
            else:
                layer = record(layer, weight.name, chosen)
        return layer

    def _padding(self, graph: Graph, path: str, old: Layer, new: Layer) -> Graph:
        """An explicit padding layer before the convolution follows the kernel, so that the output keeps its size."""
        feeder = padding_layer(graph, path)
        if feeder is None or old.config.get("padding") != "valid":
            return graph
        layer = graph.find(feeder)
        before, after = spatial_sizes(old.config["kernel_size"], old), spatial_sizes(new.config["kernel_size"], new)
        pads = explicit_pads(layer.config["padding"], len(before))
        if self.padding == "same":
            moved = [[0, 0] for _ in pads]
        else:
            moved = []
            for (left, right), small, large in zip(pads, before, after, strict=True):
                shift = center_offset(small, large)
                moved.append([max(0, left + shift), max(0, right + large - small - shift)])
        if moved == [list(pair) for pair in pads]:
            return graph
        value: Any = moved if len(moved) > 1 else moved[0]
        return graph.with_layer(feeder, configured(layer, padding=value))

    def _moved_activation(self, old: Layer) -> str | None:
        """An activation asked for that the convolution did not have."""
        had = old.config.get("activation")
        return self.activation if self.activation is not None and self.activation != had else None

    def _followers(self, graph: Graph, path: str, old: Layer) -> Graph:
        """BatchNormalization, activation and projection behind the convolution, at its level."""
        prefix, level = owner(graph, path)
        fresh: list[Layer] = []
        taken = [layer.name for layer in level.layers]
        first = old.config.get("data_format") == "channels_first"
        dtype = {"dtype": old.config["dtype"]} if "dtype" in old.config else {}
        rank = len(spatial_sizes(old.config["kernel_size"], old))
        if self.batch_norm:
            norm = new_layer(
                "BatchNormalization",
                free_name(taken, f"{old.name}_bn"),
                axis=1 if first else -1,
                epsilon=_EPSILON,
                **dtype,
            )
            fresh.append(neutral_norm(norm) or norm)
            activation = self.activation if self.activation is not None else old.config.get("activation")
            if activation not in _AFFINE:
                name = activation if isinstance(activation, str) else "activation"
                fresh.append(
                    new_layer("Activation", free_name(taken, f"{old.name}_{name}"), activation=activation, **dtype)
                )
        width = self._width(old)
        if width is not None and self._filters_rule() == "project":
            kernel: dict[str, Any] = {"kernel_size": [1] * rank, "padding": "valid", "use_bias": False}
            data = {"data_format": old.config["data_format"]} if "data_format" in old.config else {}
            project = new_layer(
                f"Conv{rank}D",
                free_name(taken, f"{old.name}_project"),
                filters=old.config["filters"],
                **kernel,
                **data,
                **dtype,
            )
            fresh.append(project.with_rules("kernel", (Initialize(initializer="identity"),)))
        return with_level(graph, prefix, insert_after(level, old.name, fresh))

    def _losses(self, old: Layer) -> list[str]:
        losses = []
        if self._moved_activation(old) is not None:
            losses.append(f"{self.activation} was not there before")
        width = self._width(old)
        if width is not None and width < old.config["filters"]:
            losses.append(f"{old.config['filters'] - width} filters are given up")
        if width is not None and self._filters_rule() in ("slice", "initialize"):
            losses.append("later layers meet other filters")
        if self.kernel_size is not None and not self._kernel_exact(old):
            losses.append(self._kernel_loss(old))
        if self.use_bias is False and old.config.get("use_bias", True):
            losses.append("the bias is given up")
        if self._starts_over(old):
            losses.append("what an earlier step made of it starts from the source again")
        if self._strides_change(old):
            losses.append("other strides")
        if self.padding is not None and self.padding != old.config.get("padding"):
            losses.append("other padding")
        return losses

    def _starts_over(self, old: Layer) -> bool:
        """Whether an earlier step's rules are replaced by ones that give other numbers than they gave.

        Rules are about the source's arrays, so taps, copies and a bias that were given up or made come back.
        """
        if self.use_bias and not old.config.get("use_bias", True):
            return any(weight.name == "bias" for weight in old.weights)
        for weight in old.weights:
            rules = old.rules_for(weight.name)
            axes = axes_of(old, weight.name, weight.shape)
            copied = self._width(old) is not None and self._filters_rule() != "widen"
            if copied and any(rule.name in ("widen", "initialize") for rule in rules):
                return True
            grown = all(
                weight.shape[axis] <= size
                for axis, size in zip(axes.spatial, spatial_sizes(old.config["kernel_size"], old), strict=False)
            )
            kernels = [rule for rule in rules if rule.owns == "kernel" or rule.name == "initialize"]
            plain = grown and all(isinstance(rule, CenterKernel) for rule in kernels)
            if self.kernel_size is not None and axes.spatial and kernels and not plain:
                return True
        return False

    def _kernel_loss(self, old: Layer) -> str:
        assert self.kernel_size is not None
        before, after = spatial_sizes(old.config["kernel_size"], old), spatial_sizes(self.kernel_size, old)
        if any(large < small for small, large in zip(before, after, strict=True)):
            return "a smaller kernel sees less"
        return "the kernel is more than the old one with zeros around it"

    def _exact(self, graph: Graph, path: str, old: Layer) -> bool:
        if self._losses(old):
            return False
        if self.kernel_size is None or old.config.get("padding") == "same":
            return True
        # With valid padding the map shrinks unless a padding layer gives way.
        sizes = spatial_sizes(self.kernel_size, old) == spatial_sizes(old.config["kernel_size"], old)
        return sizes or padding_layer(graph, path) is not None

    def _strides_change(self, old: Layer) -> bool:
        if self.strides is None:
            return False
        return spatial_sizes(self.strides, old) != spatial_sizes(old.config.get("strides", 1), old)

    def _kernel_exact(self, old: Layer) -> bool:
        """Growing from odd to odd by zeros is exact; elsewhere windows move or taps are lost."""
        assert self.kernel_size is not None
        before, after = spatial_sizes(old.config["kernel_size"], old), spatial_sizes(self.kernel_size, old)
        if before == after:
            return self.kernel_rule != "initialize"
        strides = spatial_sizes(old.config.get("strides", 1), old)
        patches = before == strides
        if self.kernel_rule not in ("auto", "center") or (self.kernel_rule == "auto" and patches and max(after) > 1):
            return False
        explicit = old.config.get("padding") == "valid"
        for small, large, step in zip(before, after, strides, strict=True):
            odd = small % 2 == 1 and large % 2 == 1
            if large < small or not (odd or step == 1) or (small < step and not explicit):
                return False
        return True
