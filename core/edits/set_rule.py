"""Settle one weight: which rule makes it what the model needs."""

from typing import ClassVar

from core.edits.base import Context, Edit, Outcome
from core.errors import EditError, RuleError
from core.findings import Finding
from core.model.graph import Graph, Layer
from core.phrases import shape_words
from core.rules import AnyRule, KeepRows, Rule, chain_name, parse_rule
from core.rules.initialize import LAYER
from core.rules.positions import ResamplePositions
from core.surgery import contracts
from core.surgery.positions import kept
from core.surgery.recording import record, starts_anew
from core.surgery.suggest import completed


class SetRule(Edit, frozen=True, kw_only=True, tag="set_rule"):
    """`weight` is `layer path/weight name`; `rule` a rule's name, a rule with its fields, or several in a row.

    In JSON the rule's fields may also stand beside `rule`: `{"do": "set_rule", "weight": ..., "rule": "initialize",
    "seed": 1}`. Rules that own other axes of the weight stay.
    """

    about: ClassVar[str] = "weight"
    follows: ClassVar[bool] = True
    weight: str
    rule: str | AnyRule | tuple[str | AnyRule, ...]

    def check(self) -> None:
        """The rules must exist."""
        self.rules()

    def rules(self) -> tuple[Rule, ...]:
        """The rules as values. Raises `EditError`."""
        given = self.rule if isinstance(self.rule, tuple) else (self.rule,)
        try:
            return tuple(parse_rule(one) for one in given)
        except RuleError as error:
            raise EditError(error.message) from error

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The rules recorded on the layer that holds the weight; what they left open is read off the model.

        How far the answers move is measured. After another edit it is part of that one's contract.
        """
        path, name = locate(graph, self.weight)
        layer = graph.find(path)
        if layer.opaque and any(getattr(rule, "initializer", "") == LAYER for rule in self.rules()):
            raise EditError(
                f"The initial values of {path} are set by its code, which is not available; name the Python file "
                f"that defines {layer.class_name}."
            )
        rules = tuple(completed(rule, context.source, graph, path, name) for rule in self.rules())
        known = {weight.name for weight in layer.weights}
        if name not in known and known and not rules[0].makes:
            raise EditError(f"{path} has no weight {name!r} in the source; it has {', '.join(sorted(known))}.")
        if starts_anew(layer, name):
            layer = layer.with_rules(name, ())  # it says so no longer
        for rule in rules:
            layer = record(layer, name, rule)
        return Outcome(graph.with_layer(path, layer), (contracts.nearly(),), self._told(layer, path, name))

    def _told(self, layer: Layer, path: str, name: str) -> tuple[Finding, ...]:
        """Positions on another grid, or rows of a table: which, and what that costs."""
        rules = layer.rules_for(name)
        rows = next((rule for rule in rules if isinstance(rule, KeepRows)), None)
        if rows is not None:
            return self._rows(layer, path, name, rows)
        moved = [one for one in rules if isinstance(one, ResamplePositions) and one.old_grid != one.new_grid]
        if not moved or not any(rule.name == "resample" for rule in self.rules()):
            return ()
        text = (
            f"{self.weight} goes from a grid of {shape_words(moved[0].old_grid)} to {shape_words(moved[0].new_grid)}"
            f"{kept(moved[0].prefix)}. Without training at the new size, resampled positions cost accuracy."
        )
        return (Finding("info", "adapt.lossy", path, text),)

    def _rows(self, layer: Layer, path: str, name: str, rule: KeepRows) -> tuple[Finding, ...]:
        """Rows that start anew, and rows that are left behind."""
        weight = next((one for one in layer.weights if one.name == name), None)
        count = layer.config.get("input_dim")
        if weight is None or not isinstance(count, int):
            return ()
        rows = rule.rows(weight.shape[0], count)
        fresh, gone = rows.count(None), weight.shape[0] - len({row for row in rows if row is not None})
        starts = {"uniform": "at random values", "mean": "at the mean of the others", "zeros": "at zeros"}
        told = []
        if fresh:
            told.append(f"{fresh} of the {count} rows of {self.weight} start {starts[rule.fresh]}.")
        if gone:
            told.append(f"{gone} of the {weight.shape[0]} rows of {self.weight} are dropped.")
        return tuple(Finding("info", "weight.unmatched", path, text) for text in told)

    def summary(self) -> str:
        """For the recipe list."""
        given = self.rule if isinstance(self.rule, tuple) else (self.rule,)
        return f"{self.weight}: {' + '.join(one if isinstance(one, str) else chain_name((one,)) for one in given)}"


def locate(graph: Graph, weight: str) -> tuple[str, str]:
    """Layer path and weight name of `backbone/conv1/kernel`: the longest layer path that the graph has."""
    best = ""
    for path, layer in graph.walk():
        if weight.startswith(path + "/") and len(path) > len(best) and layer.inner is None:
            best = path
    if not best:
        best = max((path for path, _ in graph.walk() if weight.startswith(path + "/")), key=len, default="")
    if not best:
        raise EditError(f"There is no layer for the weight {weight!r}; write it as layer path/weight name.")
    return best, weight[len(best) + 1 :]
