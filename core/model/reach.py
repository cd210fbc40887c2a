"""Which layers a layer depends on, and which depend on it, through nested models and shared layers."""

from collections.abc import Iterable, Sequence

from core.caches import IdentityCache
from core.model.graph import Graph, Layer, Node
from core.stopping import checkpoint

Sources = tuple[int, ...]


class Reach:
    """The calls of all levels of a graph as one net, made once: a walk over it takes each call once.

    A nested model is gone through call by call and output by output, so that a layer behind one output depends only on
    what makes that output. Of what has no known way through (a wrapper, a model with code of its own) everything
    inside depends on everything that goes in, and everything that comes out on everything inside.
    """

    def __init__(self, graph: Graph) -> None:
        self.known = not graph.opaque and (len(graph.layers) < 2 or any(layer.calls for layer in graph.layers))
        """Whether anything is known of how the layers are connected."""
        self._paths: list[str] = []
        self._before: list[Sources] = []
        self._places: dict[str, list[int]] = {}
        self._after: list[list[int]] | None = None
        self._level(graph, "", [()] * len(graph.input_refs()))

    def up_to(self, paths: Iterable[str]) -> set[str]:
        """The layers at these paths (of a model: all inside) and all that they depend on; no models, only layers."""
        return self._walk(paths, self._before)

    def onward(self, paths: Iterable[str]) -> set[str]:
        """The layers at these paths (of a model: all inside) and all that depend on them; no models, only layers."""
        if self._after is None:
            self._after = [[] for _ in self._paths]
            for place, sources in enumerate(self._before):
                for source in sources:
                    self._after[source].append(place)
        return self._walk(paths, self._after)

    def _walk(self, paths: Iterable[str], ways: Sequence[Sequence[int]]) -> set[str]:
        seen: set[int] = set()
        stack = [place for path in paths for place in self._inside(path)]
        while stack:
            place = stack.pop()
            if place not in seen:
                seen.add(place)
                stack.extend(ways[place])
        return {self._paths[place] for place in seen} - {""}

    def _inside(self, path: str) -> list[int]:
        if path in self._places:
            return self._places[path]
        below = path + "/"
        return [place for name, places in self._places.items() if name.startswith(below) for place in places]

    # making

    def _place(self, path: str, before: Iterable[int]) -> int:
        """One more place; those without a path only join what goes through them."""
        self._paths.append(path)
        self._before.append(tuple(dict.fromkeys(before)))
        place = len(self._paths) - 1
        if path:
            self._places.setdefault(path, []).append(place)
        return place

    def _level(self, graph: Graph, prefix: str, arriving: Sequence[Sources]) -> list[Sources]:
        """Add one level; `arriving` is where each of its inputs comes from. Returns where each output comes from."""
        ports = {ref.layer: sources for ref, sources in zip(graph.input_refs(), arriving, strict=True)}
        made: dict[Node, list[Sources]] = {}
        layers = graph.by_name()
        for node in graph.order:
            checkpoint()
            layer = layers[node[0]]
            refs = layer.calls[node[1]].inputs()
            feeds = [_output(made.get((ref.layer, ref.call)), ref.output) for ref in refs]
            if layer.is_input and layer.name in ports:
                feeds.append(ports[layer.name])
            made[node] = self._call(layer, prefix + layer.name, feeds)
        for layer in graph.layers:
            if not layer.calls:  # not connected, or nobody knows how
                self._call(layer, prefix + layer.name, [])
        return [_output(made.get((ref.layer, ref.call)), ref.output) for ref in graph.output_refs()]

    def _call(self, layer: Layer, path: str, feeds: list[Sources]) -> list[Sources]:
        inner = layer.inner
        everything = [place for feed in feeds for place in feed]
        if inner is None:
            return [(self._place(path, everything),)]
        if layer.is_model and not inner.opaque and len(inner.input_refs()) == len(feeds):
            return self._level(inner, path + "/", feeds)
        gate = (self._place("", everything),)
        inside = [self._place(f"{path}/{below}", gate) for below, one in inner.walk() if one.inner is None]
        return [(self._place("", (*gate, *inside)),)]


def _output(outputs: list[Sources] | None, number: int) -> Sources:
    """Where one output comes from; a leaf has one place for all of its outputs."""
    if not outputs:
        return ()
    return outputs[number] if number < len(outputs) else outputs[0]


_REACHES: IdentityCache[Reach] = IdentityCache(2)


def reach_of(graph: Graph) -> Reach:
    """The net of a graph: the same one for whoever asks again."""
    return _REACHES.get((graph,), lambda: Reach(graph))
