"""Stretches of a model that are shown as one: blocks that repeat, and layers that share the beginning of their names.

Found by structure: classes, configs apart from names, and connections. Names only decide where a block begins when
several places are equally good, and gather what does not repeat. The time grows with the number of layers alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from core.analysis.block_words import block_words
from core.caches import IdentityCache
from core.layers.table import idle
from core.model.graph import Call, Graph, Layer, TensorRef
from core.phrases import TIMES

LEAST_LAYERS = 6
"""Fewer layers than these are as quick to see as a group of them."""
LEAST_ALIKE = 4
"""As many single layers of one kind in a row make a group."""
LEAST_NAMED = 4
MOST_SHOWN = 100
"""A group with more members than these shows them in stretches, so that unfolding it stays quick."""
MOST_AT_ONCE = 80
"""The same for a whole level, so that all of it can be read at once."""
_NEXT = 4
_MOST_PASSING = 3
_LEAST_BESIDE = 20

Kind = Literal["repeat", "block", "named", "stretch"]


class Group(Struct, frozen=True):
    """One stretch of a level. `members` are layer names and groups, in the order of the data.

    `key` finds the group again after an edit. `count` is how many blocks a `repeat` holds, 1 for the others.
    """

    key: str
    kind: Kind
    title: str
    members: "tuple[str | Group, ...]"
    count: int = 1

    def names(self) -> Iterator[str]:
        """The layers inside, those in groups included."""
        for member in self.members:
            if isinstance(member, Group):
                yield from member.names()
            else:
                yield member

    def walk(self) -> "Iterator[Group]":
        """This group and those inside, outermost first."""
        yield self
        for member in self.members:
            if isinstance(member, Group):
                yield from member.walk()


def members(level: Graph) -> tuple[str | Group, ...]:
    """The layers and groups of one level, in the order of the data; levels inside have groups of their own."""
    if len(level.layers) < LEAST_LAYERS:
        return tuple(layer.name for layer in level.layers)
    return _MEMBERS.get((level,), lambda: _members(level))


_MEMBERS: IdentityCache[tuple[str | Group, ...]] = IdentityCache(32)


def _members(level: Graph) -> tuple[str | Group, ...]:
    chain = _Chain(level)
    made = chain.joined(_named(chain.split(0, len(chain.names), 0)))
    return _stretches(made, MOST_AT_ONCE)


def groups(level: Graph) -> tuple[Group, ...]:
    """The groups of one level, outermost ones alone."""
    return tuple(member for member in members(level) if isinstance(member, Group))


def around(found: Sequence[str | Group], name: str) -> list[str]:
    """The keys of the groups that a layer of this level is in, outermost first."""
    for member in found:
        if isinstance(member, Group) and any(name == one for one in member.names()):
            return [member.key, *around(member.members, name)]
    return []


def flow_order(level: Graph) -> list[str]:
    """The layers of a level, each after those it depends on and each branch in one piece.

    What takes no tensor stands at the front, what is used first as the last of it, beside its user.
    """
    known = level.by_name()
    done: set[str] = set()
    order: list[str] = []
    starts = [ref.layer for ref in level.output_refs()]
    for start in [*starts, *(layer.name for layer in level.layers)]:
        stack = [start]
        opened: set[str] = set()
        while stack:
            name = stack[-1]
            if name in done or name not in known:
                stack.pop()
                continue
            if name in opened:
                stack.pop()
                done.add(name)
                order.append(name)
                continue
            opened.add(name)
            before = [ref.layer for call in known[name].calls for ref in call.inputs()]
            stack.extend(one for one in reversed(before) if one not in done and one not in opened)
    first: dict[str, int] = {}
    for number, name in enumerate(order):
        for call in known[name].calls:
            for ref in call.inputs():
                first.setdefault(ref.layer, number)
    starting = [name for name in order if known[name].calls and not any(call.inputs() for call in known[name].calls)]
    starting.sort(key=lambda name: -first.get(name, len(order)))
    apart = set(starting)
    return [*starting, *(name for name in order if name not in apart)]


class _Chain:
    """A level as a row of layers, with what each is and where it takes its tensors from."""

    def __init__(self, level: Graph) -> None:
        self.level = level
        self.names = flow_order(level)
        layers = level.by_name()
        self.layers = [layers[name] for name in self.names]
        self.place = {name: number for number, name in enumerate(self.names)}
        numbers: dict[Any, int] = {}
        kinds: dict[int, Any] = {}
        self.kinds = [
            numbers.setdefault(_kind(layer, kinds) if len(layer.calls) < 2 else ("shared", number), len(numbers))
            for number, layer in enumerate(self.layers)
        ]
        self.sources = [
            tuple(
                (self.place.get(ref.layer, -1), ref.call, ref.output) for call in layer.calls for ref in call.inputs()
            )
            for layer in self.layers
        ]
        self.crossing = self._crossing()

    def _crossing(self) -> list[int]:
        """How many layers' tensors are in use between each layer and the one before it."""
        last = list(range(len(self.names)))
        for number, sources in enumerate(self.sources):
            for source, _, _ in sources:
                if source >= 0:
                    last[source] = max(last[source], number)
        change = [0] * (len(self.names) + 2)
        for source, user in enumerate(last):
            if user > source and self.sources[source]:  # a mask that all blocks take joins none of them
                change[source + 1] += 1
                change[user + 1] -= 1
        found, current = [], 0
        for number in range(len(self.names)):
            current += change[number]
            found.append(current)
        return found

    def alike(self, one: int, period: int) -> int | None:
        """The last layer whose tensor both a layer and the one a period later take, -1 if none; `None` if not alike.

        Blocks that begin before that layer are not alike: the first would take a tensor of its own, others that one.
        """
        other = one + period
        if self.kinds[one] != self.kinds[other]:
            return None
        mine, theirs = self.sources[one], self.sources[other]
        if len(mine) != len(theirs):
            return None
        common = -1
        for first, second in zip(mine, theirs, strict=True):
            if first[1:] != second[1:]:
                return None
            if first[0] == second[0]:
                common = max(common, first[0])
            elif first[0] < 0 or second[0] - first[0] != period:
                return None
        return common

    def repeats(self, begin: int, end: int) -> list[tuple[int, int, int]]:
        """(first layer, period, count) of repetitions in a stretch, those that save most first, none over another."""
        seen: dict[int, list[int]] = {}
        covered: dict[int, int] = {}
        found: list[tuple[int, int, int]] = []
        for number in range(begin, end):
            earlier = seen.setdefault(self.kinds[number], [])
            for other in earlier[-_NEXT:]:
                period = number - other
                if other < covered.get(period, begin):
                    continue
                common = self.alike(other, period)
                if common is None:
                    continue
                first = other
                while first > max(begin, covered.get(period, begin), common + 1):
                    before = self.alike(first - 1, period)
                    if before is None:
                        break
                    first, common = first - 1, max(common, before)
                last = other + 1
                while last + period < end:
                    common = self.alike(last, period)
                    if common is None or common >= first:
                        break
                    last += 1
                covered[period] = last
                found.append((first, period, last - first + period))
            earlier.append(number)
            del earlier[:-_NEXT]
        return self._chosen(found)

    def _chosen(self, found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """Of stretches (first, period, length) the best that do not overlap, each begun at a good place."""
        taken = bytearray(len(self.names))
        chosen: list[tuple[int, int, int]] = []
        for first, period, length in sorted(found, key=lambda one: (one[1] - one[2] // one[1] * one[1], one[1])):
            first, length = _free(taken, first, length)
            first, count = self._aligned(first, period, length)
            if count < 2 or (count < LEAST_ALIKE if period == 1 else count * period < LEAST_LAYERS):
                continue
            if self.crossing[first] > 1 and count * period < _LEAST_BESIDE:
                continue  # inside one of several branches, which belong together
            taken[first : first + count * period] = b"\x01" * (count * period)
            chosen.append((first, period, count))
        return sorted(chosen)

    def _aligned(self, first: int, period: int, length: int) -> tuple[int, int]:
        """Where blocks of a period best begin in a stretch: few tensors go over the border, then as names suggest."""
        count = length // period
        spare = length - count * period
        if count < 2:
            return first, 0
        best = min(
            range(spare + 1),
            key=lambda step: (self.crossing[first + step], *self._border(first + step + period), step),
        )
        return first + best, count

    def _border(self, number: int) -> tuple[int, int]:
        """How ill a block begins at a layer: as much as the names before and after have in common."""
        if not 0 < number < len(self.names):
            return 0, 0
        common = len(_shared(self.names[number - 1 : number + 1]))
        heavy = any(len(weight.shape) > 1 for weight in self.layers[number].weights)
        return common, int(not heavy)

    def split(self, begin: int, end: int, depth: int) -> list["str | Group"]:
        """A stretch as layers and the repetitions in it."""
        made: list[str | Group] = []
        at = begin
        for first, period, count in self.repeats(begin, end):
            made += self.names[at:first]
            at = first + period * count
            made.append(self._repeat(first, period, count, depth))
        made += self.names[at:end]
        return made

    def _repeat(self, first: int, period: int, count: int, depth: int) -> Group:
        mark = str(depth) if depth else ""
        word = block_words([self.layers[number] for number in range(first, first + period)])
        members: list[str | Group] = []
        for block in range(count):
            begin = first + block * period
            if period == 1:
                members.append(self.names[begin])
                continue
            inside = self.split(begin, begin + period, depth + 1) if period >= 2 * LEAST_LAYERS else None
            title = _common_name(self.names[begin : begin + period]) or f"{word} {block + 1}"
            parts = inside or self.names[begin : begin + period]
            members.append(Group(f"block{mark}:{self.names[begin]}", "block", title, tuple(parts)))
        key = f"repeat{mark}:{self.names[first]}"
        return Group(key, "repeat", f"{count:,} {TIMES} {word}", _stretches(members, MOST_SHOWN), count)

    def joined(self, found: "list[str | Group]") -> "list[str | Group]":
        """The same with layers between two places that all data passes put together: branches, with what joins them."""
        return _each_row(found, lambda row: self._by_cuts(row, 1))

    def _by_cuts(self, names: list[str], passing: int) -> list["str | Group"]:
        """Layers in a row, in groups from one place that at most so many tensors pass to the next."""
        made: list[str | Group] = []
        begin = 0
        for end in range(1, len(names) + 1):
            if end < len(names) and self.crossing[self.place[names[end]]] > passing:
                continue
            part = names[begin:end]
            begin = end
            if len(part) > MOST_SHOWN and passing < _MOST_PASSING:
                made += self._by_cuts(part, passing + 1)
            elif len(part) >= LEAST_NAMED:
                word = block_words([self.layers[self.place[name]] for name in part])
                made.append(Group(f"joined:{part[0]}", "block", _common_name(part) or word, tuple(part)))
            else:
                made += part
        return made


def _each_row(found: "list[str | Group]", grouped: Callable[[list[str]], "list[str | Group]"]) -> "list[str | Group]":
    """The same with each run of layers between two groups put together by a function."""
    made: list[str | Group] = []
    row: list[str] = []
    for member in found:
        if isinstance(member, str):
            row.append(member)
            continue
        made += [*grouped(row), member]
        row = []
    return [*made, *grouped(row)]


def _named(found: "list[str | Group]") -> "list[str | Group]":
    """The same with layers that stand in a row and share the beginning of their names put together."""
    return _each_row(found, _by_name)


def _free(taken: bytearray, first: int, length: int) -> tuple[int, int]:
    """The longest part of a stretch that nobody has taken."""
    best, at, end = (first, 0), first, first + length
    while at < end:
        if taken[at]:
            at = taken.find(0, at, end)
            if at < 0:
                break
        stop = taken.find(1, at, end)
        stop = end if stop < 0 else stop
        if stop - at > best[1]:
            best = (at, stop - at)
        at = stop
    return best


def _stretches(members: Sequence["str | Group"], most: int, start: int = 0) -> "tuple[str | Group, ...]":
    """Members as they are, or in stretches of equal length where there are too many to show at once."""
    count, levels = len(members), 1
    if count <= most:
        return tuple(members)
    while most**levels < count:
        levels += 1
    size = -(-count // round(count ** (1 / levels)))
    made: list[str | Group] = []
    for begin in range(0, count, size):
        part = members[begin : begin + size]
        title = f"{start + begin + 1:,} to {start + begin + len(part):,}"
        if most == MOST_AT_ONCE:
            title = f"{_first(part[0])} \u2026 {_last(part[-1])}"
        key = f"stretch{len(part)}:{_first(part[0])}"
        made.append(Group(key, "stretch", title, _stretches(part, most, start + begin)))
    return tuple(made)


def _last(member: "str | Group") -> str:
    while isinstance(member, Group):
        member = member.members[-1]
    return member


def _first(member: "str | Group") -> str:
    return member if isinstance(member, str) else next(member.names())


def _by_name(names: list[str]) -> list["str | Group"]:
    """Layers in a row, those of one name's beginning in a group."""
    made: list[str | Group] = []
    at = 0
    while at < len(names):
        stem = _stem(names[at])
        end = at + 1
        while stem and end < len(names) and _stem(names[end]) == stem:
            end += 1
        if end - at >= LEAST_NAMED:
            made.append(Group(f"named:{names[at]}", "named", stem, tuple(names[at:end])))
        else:
            made += names[at:end]
        at = end
    return made


def _stem(name: str) -> str:
    """The beginning of a name that says what the layer belongs to: `conv2_block1` of `conv2_block1_1_bn`."""
    parts = re.split("[_/.]", name)
    end = 0
    while end < len(parts) and (not re.search(r"\d", parts[end]) or re.fullmatch(r"[a-z]+[123]d", parts[end])):
        end += 1
    if end == len(parts):
        return ""
    end = least = end + 1
    while end < len(parts) and re.search(r"\d", parts[end]) and re.search(r"[^\d]", parts[end]):
        end += 1
    while end > least and not re.search("[A-Za-z]", "".join(parts[end:])):
        end -= 1
    return name[: len("_".join(parts[:end]))] if re.search("[A-Za-z]", "".join(parts[end:])) else ""


def _common_name(names: Sequence[str]) -> str:
    """What the names of a block begin with, if that says something."""
    common = _shared(names).rstrip("_/.")
    return common if len(common) > 2 else ""


def _shared(names: Sequence[str]) -> str:
    """The letters that all names begin with."""
    least, most = min(names), max(names)
    end = next((at for at, (one, other) in enumerate(zip(least, most, strict=False)) if one != other), len(least))
    return least[:end]


def _kind(layer: Layer, kinds: dict[int, Any]) -> Any:
    """What a layer is apart from its names, as something that can be compared."""
    call = layer.calls[0] if layer.calls else Call()
    return (
        layer.class_name,
        layer.module,
        layer.registered_name,
        layer.inner_key,
        _settings(layer),
        None if layer.inner is None else _inside(layer.inner, kinds),
        _ONE_TENSOR if _takes_one(call) else (_plain(call.args), _plain(call.kwargs)),
    )


_ONE_TENSOR = "one tensor"


def _takes_one(call: Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], TensorRef) and not call.kwargs


def _settings(layer: Layer) -> Any:
    """A config without the layer's own name and those of layers in it; nothing of what acts in training alone.

    An edit leaves most configs the very objects that they were, so what was made of them is kept.
    """
    if idle(layer.class_name, layer.config):
        return ()
    config = layer.config
    known = _SETTINGS.get(id(config))
    if known is not None and known[0] is config:
        return known[1]
    own = {key: value for key, value in config.items() if key not in ("name", "dtype")}
    made: Any
    try:
        text = msgspec.json.encode(own)
        made = text if b'"name"' not in text else _plain(own), msgspec.json.encode(config.get("dtype"))
    except (TypeError, ValueError):
        made = _plain(own), _plain(config.get("dtype"))
    if len(_SETTINGS) >= _MOST_KEPT:
        _SETTINGS.clear()
    _SETTINGS[id(config)] = (config, made)
    return made


_MOST_KEPT = 50_000
_SETTINGS: dict[int, tuple[dict[str, Any], Any]] = {}


def _inside(graph: Graph, kinds: dict[int, Any]) -> Any:
    known = kinds.get(id(graph))
    if known is None:
        places = {layer.name: number for number, layer in enumerate(graph.layers)}
        layers = []
        for layer in graph.layers:
            refs = [ref for call in layer.calls for ref in call.inputs()]
            sources = tuple([(places.get(ref.layer, -1), ref.call, ref.output) for ref in refs])
            layers.append((_kind(layer, kinds), sources))
        known = kinds[id(graph)] = (graph.class_name, tuple(layers))
    return known


def _plain(value: Any) -> Any:
    """JSON-like data as nested tuples; a tensor is a mark, names are left out."""
    if isinstance(value, TensorRef):
        return ("tensor",)
    if isinstance(value, Mapping):
        return tuple([(key, _plain(one)) for key, one in sorted(value.items(), key=str) if key != "name"])
    if isinstance(value, (list, tuple)):
        return tuple([_plain(one) for one in value])
    return (type(value).__name__, repr(value))
