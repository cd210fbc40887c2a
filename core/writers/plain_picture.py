"""A model as a drawing of few lines, without a window: one row a layer in the order of the calls, edges at the side.

What is drawn follows the reader's own colours, so it can be read on light and dark ground alike.
"""

from collections.abc import Iterator, Mapping
from html import escape

from core.model.graph import Graph, Layer
from core.phrases import sample_words

ROW = 26
WIDTH = 460
INDENT = 22
LANE = 12
LANES = 8
MOST = 400
"""Rows after which a drawing says how many more layers there are."""


def plain_svg(graph: Graph, marks: Mapping[str, str], title: str) -> str:
    """A graph as an SVG element; what is inside a nested model is indented. `marks` are fates by layer path."""
    every = list(_rows(graph))
    rows = every[:MOST]
    place = {path: number for number, (path, _, _) in enumerate(rows)}
    levels = graph.levels()
    edges = {
        (place[prefix + ref.layer], place[prefix + layer.name], prefix)
        for prefix, level in levels.items()
        for layer in level.layers
        if prefix + layer.name in place
        for call in layer.calls
        for ref in call.inputs()
        if prefix + ref.layer in place
    }
    depth = {path: deep for path, _, deep in rows}
    left = 16 + LANE * LANES
    height = ROW * len(rows) + (ROW if len(every) > MOST else 0) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="plain" viewBox="0 0 {left + WIDTH} {height}" '
        f'width="{left + WIDTH}" height="{height}" aria-label="{escape(title)}" font-family="sans-serif" '
        'font-size="12">'
        f"<title>{escape(title)}</title>"
    ]
    names = {number: path for path, number in place.items()}
    parts += [_edge(one, other, left + INDENT * depth[names[one]]) for one, other, _ in sorted(edges)]
    parts += [
        _row(layer, number, left, INDENT * deep, marks.get(path, "")) for number, (path, layer, deep) in enumerate(rows)
    ]
    if len(every) > MOST:
        more = f"and {len(every) - MOST:,} more layers"
        parts.append(f'<text class="name" fill="#5b6475" x="{left + 10}" y="{ROW * len(rows) + 22}">{more}</text>')
    return "".join([*parts, "</svg>"])


def _rows(graph: Graph, prefix: str = "", deep: int = 0) -> Iterator[tuple[str, Layer, int]]:
    """Every layer with its path and how deep it lies."""
    for layer in graph.layers:
        yield prefix + layer.name, layer, deep
        if layer.inner is not None:
            yield from _rows(layer.inner, f"{prefix}{layer.name}/", deep + 1)


def _row(layer: Layer, number: int, left: int, indent: int, fate: str) -> str:
    y = 6 + number * ROW
    outputs = layer.calls[0].outputs if layer.calls else None
    shape = sample_words(outputs[0].shape, "") if outputs else ""
    at = left + indent
    badge = ""
    if fate:
        place = f'x="{left + WIDTH - 22}" y="{y + 15}"'
        badge = f'<text class="fate {escape(fate)}" font-weight="700" {place}>{escape(fate[:1].upper())}</text>'
    size = f'x="{at}" y="{y}" width="{WIDTH - 6 - indent}" height="{ROW - 4}"'
    return (
        f'<rect class="layer {escape(fate)}" fill="#fff" stroke="#c4cad6" {size} rx="5"/>'
        f'<text class="class" x="{at + 10}" y="{y + 15}">{escape(_cut(layer.class_name, 22))}</text>'
        f'<text class="name" fill="#5b6475" x="{at + 164}" y="{y + 15}">{escape(_cut(layer.name, 24))}</text>'
        f'<text class="shape" fill="#5b6475" x="{left + WIDTH - 36}" y="{y + 15}" text-anchor="end">{escape(shape)}'
        f"</text>{badge}"
    )


def _edge(one: int, other: int, left: int) -> str:
    """A short line to the next row, an arc at the left to one further on."""
    start, end = 6 + one * ROW + (ROW - 4) / 2, 6 + other * ROW + (ROW - 4) / 2
    way = f"M{left} {start:g}C{left - _reach(one, other)} {start:g} {left - _reach(one, other)} {end:g} {left} {end:g}"
    if other == one + 1:
        way = f"M{left + 14} {start + 11:g}V{end - 11:g}"
    return f'<path class="edge" fill="none" stroke="#7b8496" d="{way}"/>'


def _reach(one: int, other: int) -> int:
    return min(LANES, 1 + abs(other - one).bit_length()) * LANE


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}\u2026{text[-(most // 2 - 1) :]}"
