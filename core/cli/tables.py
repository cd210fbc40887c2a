"""Answers for people: trees and tables."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from core.cli.fields import output_shape, port
from core.model.graph import Graph, Layer
from core.model.plan import file_name
from core.phrases import shape_words
from core.rules.words import rule_words
from core.surgery.quantized import policy_name

if TYPE_CHECKING:
    from core.findings import Finding
    from core.model.plan import Plan, Verification, Written
    from core.readers.source import Source

SIGNS = {"error": "[red]x error[/]", "warning": "[yellow]! warning[/]", "info": "[blue]i info[/]"}
FATE_STYLES = {
    "copied": "green",
    "transferred": "bright_green",
    "adapted": "cyan",
    "initialized": "magenta",
    "mismatched": "red",
    "merged": "blue",
    "dropped": "yellow",
}
MANY = 40
"""Rows after which a table of fates says how many more there are; `--json` has them all."""


def inspection(source: "Source") -> Iterator[RenderableType]:
    """A file: its head, its layers as a tree, its findings."""
    graph = source.graph
    head = Table.grid(padding=(0, 2))
    head.add_row("file", escape(source.path))
    version = f", Keras {source.keras_version}" if source.keras_version else ""
    head.add_row("format", escape(f"{source.format}{version}"))
    if source.weights_path is not None:
        head.add_row("weights", f"from {escape(source.weights_path)}")
    for title, refs in (("input", graph.input_refs()), ("output", graph.output_refs())):
        for ref in refs:
            end = port(graph, ref)
            head.add_row(title, f"{escape(end.name)}  {shape_words(end.shape)}  {escape(end.dtype)}")
    head.add_row("parameters", f"{graph.num_params():,}")
    yield head
    tree = Tree(f"[bold]{escape(graph.name)}[/]  {escape(graph.class_name)}")
    _grow(tree, graph)
    yield tree
    yield from found(source.findings)


def _grow(tree: Tree, graph: Graph) -> None:
    for layer in graph.layers:
        branch = tree.add(_layer_line(layer))
        for weight in layer.weights:
            branch.add(f"[dim]{escape(weight.name)}  {shape_words(weight.shape)}  {escape(weight.dtype)}[/]")
        if layer.inner is not None:
            _grow(branch, layer.inner)


def _layer_line(layer: Layer) -> str:
    params = layer.num_params()
    parts = [f"[bold]{escape(layer.name)}[/]", escape(layer.class_name)]
    if (shape := output_shape(layer)) is not None:
        parts.append(f"-> {shape_words(shape)}")
    if params:
        parts.append(f"{params:,} parameters")
    if (policy := policy_name(layer.config)) not in ("", "float32") and not layer.is_input:
        parts.append(escape(policy))
    if not layer.trainable:
        parts.append("frozen")
    if layer.opaque:
        parts.append("[yellow]code missing[/]")
    return "  ".join(parts)


def found(findings: Iterable["Finding"]) -> Iterator[RenderableType]:
    """Findings, each with its fixes; nothing when there are none."""
    findings = tuple(findings)
    if not findings:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("finding", "layer", "what", "fixes"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        fixes = "; ".join(fix.title for fix in finding.fixes)
        table.add_row(SIGNS[finding.severity], escape(finding.layer), escape(finding.message), escape(fixes))
    yield table


def planned(plan: "Plan") -> Iterator[RenderableType]:
    """A plan: ends, sizes, a summary of fates, those that are not plain copies, findings."""
    head = Table.grid(padding=(0, 2))
    for title, ports in (("input", plan.inputs), ("output", plan.outputs)):
        for one in ports:
            head.add_row(title, f"{escape(one.name)}  {shape_words(one.shape)}  {escape(one.dtype)}")
    head.add_row("parameters", f"{plan.before.params:,} -> {plan.after.params:,}")
    head.add_row("trainable", f"{plan.before.trainable_params:,} -> {plan.after.trainable_params:,}")
    counts: Counter[str] = Counter(fate.fate for fate in plan.fates)
    counts["merged"] += len(dict(plan.merged))
    counts["dropped"] += len(plan.dropped)
    head.add_row(
        "weights", ", ".join(f"[{FATE_STYLES[name]}]{count} {name}[/]" for name, count in counts.items() if count)
    )
    for file, count in Counter(fate.file for fate in plan.fates if fate.file).items():
        head.add_row("from", f"{escape(file_name(file))}  {count} weight{'s' * (count != 1)}")
    yield head
    changed = [fate for fate in plan.fates if not fate.as_stored or fate.further]
    if changed:
        table = Table(box=None, pad_edge=False)
        for title in ("weight", "fate", "rule", "from", "to", "note"):
            table.add_column(title, overflow="fold")
        for fate in changed[:MANY]:
            before = shape_words(fate.source_shape) if fate.source_shape is not None else "-"
            words = f"{fate.fate} from {escape(file_name(fate.file))}" if fate.file else fate.fate
            name = f"[{FATE_STYLES[fate.fate]}]{words}[/]"
            table.add_row(
                escape(fate.weight),
                name,
                escape(rule_words(fate.rule) if fate.rule else "-"),
                before,
                shape_words(fate.shape),
                escape(fate.note),
            )
        yield table
        if len(changed) > MANY:
            yield Text(f"and {len(changed) - MANY} more; --json has them all")
    yield from _gone(plan)
    yield from found(plan.findings)


def _gone(plan: "Plan") -> Iterator[RenderableType]:
    """The source's arrays that no weight of the result comes from alone: merged into one, or dropped."""
    rows = [("merged", name, into) for name, into in plan.merged] + [("dropped", name, "-") for name in plan.dropped]
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("array of the source", "fate", "into"):
        table.add_column(title, overflow="fold")
    for fate, name, into in rows[:MANY]:
        table.add_row(escape(name), f"[{FATE_STYLES[fate]}]{fate}[/]", escape(into))
    yield table
    if len(rows) > MANY:
        yield Text(f"and {len(rows) - MANY} more; --json has them all")


def written(result: "Written") -> Iterator[RenderableType]:
    """What was written, and what is known of it."""
    verification = result.verification
    place = f"{result.written} ({result.bytes:,} bytes)"
    if verification is None:
        yield Text(f"wrote {place}, not verified", style="yellow")
    elif verification.ok and verification.skipped:
        yield Text(f"wrote {place}, not run: {verification.compared} compared", style="yellow")
    elif verification.ok:
        yield Text(f"wrote {place}, verified: {verification.compared} compared", style="green")
    elif result.written:
        yield Text(f"kept {place}, which failed verification", style="red")
    else:
        yield Text("removed the result, which failed verification", style="red")


def verified(result: "Verification") -> Iterator[RenderableType]:
    """What Keras said, line by line."""
    table = Table.grid(padding=(0, 2))
    if not result.skipped:
        table.add_row(_verdict(result.reloaded), f"{result.runtime} loads it")
        table.add_row(_verdict(result.forward), "it runs")
    if result.arrays or not result.copied_equal:
        table.add_row(_verdict(result.copied_equal), f"{result.arrays:,} arrays match the plan bit for bit")
    if result.copied_equal:
        for words in result.proved:
            table.add_row(_verdict(True), escape(words))
    for one in result.contracts:
        words = f"drift {one.drift:.2g}" + (", exact" if one.exact else f" at most, {one.mean:.2g} on average")
        if one.rounding is not None:
            words += f" in double precision; single precision rounds by {one.rounding:.2g}"
        table.add_row(_verdict(one.holds), f"{escape(one.name)}: {words}")
    yield table
    if result.skipped:
        yield Text(result.message, style="yellow")
    if result.training_gap is not None:
        yield Text(
            f"In training, BatchNormalization uses the statistics of each batch: outputs then differ from "
            f"inference by {result.training_gap:.2g} (relative, on the same inputs).",
            style="dim",
        )


def _verdict(good: bool) -> str:
    return "[green]yes[/]" if good else "[red]no[/]"
