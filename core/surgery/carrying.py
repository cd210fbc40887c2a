"""What the arrays of a layer are worth to a layer of another class: which weight means what, and how it lies there.

| classes | what they share |
|---|---|
| Conv, ConvTranspose, DepthwiseConv, SeparableConv, Dense, EinsumDense, Embedding | a kernel and a bias (`kernels`) |
| BatchNormalization, LayerNormalization, GroupNormalization, RMSNormalization | a gain and an offset per channel |
| LSTM, GRU, SimpleRNN, RNN of such a cell, Bidirectional of these | the cell's arrays, where the cell is the same |
| ReLU, LeakyReLU, PReLU | the slope below zero |

TimeDistributed is seen through. WeightNormalization, SpectralNormalization and low-rank updates are first made plain
kernels (`core.edits.fold_weights`). Equal names or shapes say nothing: between other classes nothing is carried over.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.errors import EditError
from core.layers import table
from core.layers.instances import Kind, as_groups, instance_kind
from core.layers.known import LAYERS
from core.layers.weight_table import slots
from core.model.graph import Graph, Layer, Weight
from core.rules.initialize import Initialize
from core.rules.merged import Settled
from core.surgery import kernels
from core.surgery.held import Fates, Unfoldable, decided, part
from core.surgery.kernels import Made
from core.surgery.linear import View, view
from core.surgery.plain import foldable_kind, plain

Config = dict[str, Any]
_NORMS: dict[str, tuple[str, str]] = {
    name: (gain, next((one.name for one in table.row(name).arrays if one.kind == "shift"), ""))
    for name in table.classes(family="normalization")
    for gain in (one.name for one in table.row(name).arrays if one.kind == "scale")
}
"""Names of the gain and the offset."""
_GROUPS: Config = {"groups": 32, "axis": -1, "epsilon": 1e-3, "center": True, "scale": True}
"""Defaults of GroupNormalization."""
_CELLS = {name: name.removesuffix("Cell") for name in table.classes(kind=("units", "cell")) if table.row(name).states}
"""Kinds of cells by the classes that have them."""
_CELL_ARRAYS = ("kernel", "recurrent_kernel", "bias")
_CELL_FIELDS: dict[str, Any] = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
}


class Carried(Struct, frozen=True):
    """The new layer with its arrays. `exact`: it computes what the old one did.

    `kept` names the old arrays that live on, `lost` those that do not, `fresh` new weights without one. `why` says what
    keeps arrays from being carried; `open`: whether the person has to say what they mean.
    """

    layer: Layer
    exact: bool = False
    kept: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    why: str = ""
    open: bool = False


def carry(path: str, old: Layer, new: Layer, how: str, level: Graph, fates: Fates) -> Carried:
    """`new`, which takes the place of `old`, with what it can use of the arrays of `old`.

    `how` is `auto`, `meaning` (also where the layer then computes something else), `name` or `none`.
    """
    bare = replace(new, weights=(), rules=(), history=None)
    given = [weight for weight in old.weights if weight.source is not None and not weight.state]
    if how == "name":
        wanted = _names(new) or {weight.name for weight in given}
        kept = tuple(weight for weight in given if weight.name in wanted)
        rules = tuple(pair for pair in old.rules if pair[0] in wanted)
        return _told(old, replace(bare, weights=kept, rules=rules), given)
    if how == "none":
        return _told(old, bare, given)
    try:
        plainer = plain(path, old, fates, {}) if foldable_kind(old) else old
        found = _made(path, plainer, bare, how, level, fates)
    except Unfoldable as reason:
        return _told(old, bare, given, why=reason.reason)
    if found.open:
        return _told(old, bare, given, why=found.why, open=True)
    made = replace(bare, weights=found.made)
    for name, rule in found.rules:
        made = made.with_rules(name, (rule,))
    return _told(old, made, given, exact=found.exact, why=found.why)


def _names(layer: Layer) -> dict[str, None]:
    """Names of the weights of a built-in layer, in order; empty for others."""
    return {} if coded(layer) else dict.fromkeys(slot.name for slot in slots(layer.class_name, layer.config))


def coded(layer: Layer) -> bool:
    """Whether what a layer's arrays mean is known to code of its own alone."""
    builtin = layer.class_name in LAYERS and ">" not in (layer.registered_name or "")
    return layer.opaque or not builtin or not (layer.module or "keras").startswith("keras")


def _told(old: Layer, new: Layer, given: list[Weight], **fields: Any) -> Carried:
    """The outcome with the names of what lives on, what does not, and what starts anew."""
    names = _names(new)
    used = set()
    for weight in new.weights:
        if not names or weight.name in names:
            used |= {weight.source, *(weight.decode.needs() if weight.decode is not None else ())}
    held = {weight.name for weight in new.weights} | {name for name, _ in new.rules}
    return Carried(
        new,
        kept=tuple(weight.name for weight in given if weight.source in used),
        lost=tuple(weight.name for weight in given if weight.source not in used),
        fresh=tuple(name for name in names if name not in held),
        **fields,
    )


def _made(path: str, old: Layer, new: Layer, how: str, level: Graph, fates: Fates) -> Made:
    """The new layer's arrays by meaning. Raises `Unfoldable` where the classes share none."""
    was, now = view(old), view(new)
    kind = instance_kind(old.class_name, old.config)
    if kind and now is not None and now.class_name in _NORMS:
        return _instances(path, old, kind, now, level, fates)
    if was is None or now is None or coded(old) or coded(new):
        code = old if was is None or coded(old) else new
        raise Unfoldable(f"only the code of {code.class_name} defines what its arrays mean")
    if kernels.knows(was) and kernels.knows(now):
        return kernels.converted(path, old, was, new, now, how, level, fates)
    if was.class_name in _NORMS and now.class_name in _NORMS:
        return _norm(path, old, was, now, level, fates)
    ways, wanted = _directions(old), _directions(new)
    if ways and wanted:
        return _recurrent(path, old, ways, new, wanted, fates)
    if now.class_name == "PReLU" and was.class_name in ("ReLU", "LeakyReLU"):
        return _slope(was, now)
    if any(weight.source is not None for weight in old.weights):
        if not _names(new):
            raise Unfoldable(f"{named(new)} has no weights")
        raise Unfoldable(f"no weight of {named(new)} corresponds to one of {named(old)}")
    return Made()


def same_meaning(old: Layer, new: Layer) -> bool:
    """Whether each weight means the same in both: the class is the same, and what it carries or computes too."""
    if old.class_name != new.class_name:
        return False
    if any(_classes(old.config.get(key)) != _classes(new.config.get(key)) for key in table.CARRIERS):
        return False
    return old.class_name != "EinsumDense" or old.config.get("equation") == new.config.get("equation")


def _classes(entry: Any) -> Any:
    """The class of a serialised layer, and of what it carries in turn."""
    if isinstance(entry, list):
        return [_classes(one) for one in entry]
    if not isinstance(entry, dict) or "class_name" not in entry:
        return None
    config = entry.get("config") or {}
    return [entry["class_name"], *(_classes(config.get(key)) for key in table.CARRIERS)]


def words(layer: Layer) -> str:
    """A layer's class as a person says it: `LSTM`, `Bidirectional LSTM`."""
    inside = layer.config.get("layer")
    short = layer.class_name.rpartition(">")[2]
    if isinstance(inside, dict) and "class_name" in inside:
        return f"{short} {str(inside['class_name']).rpartition('>')[2]}"
    return short


def named(layer: Layer) -> str:
    """`words` with an article, as English sounds it."""
    return with_article(words(layer))


def with_article(said: str) -> str:
    """`an LSTM`, `a Dense`."""
    sounds = said.startswith(("A", "E", "I", "O", "LSTM", "RMS", "RNN", "Up"))
    return f"{'an' if sounds else 'a'} {said}"


def copied(path: str, layer: Layer, name: str, new_name: str, fates: Fates) -> Weight | None:
    """The array `name` as the weight `new_name` of another layer, with what earlier edits decided for it."""
    weight = next((one for one in layer.weights if one.name == name and one.source is not None), None)
    if weight is None:
        return None
    if not decided([replace(layer, rules=tuple(pair for pair in layer.rules if pair[0] == name))]):
        return replace(weight, name=new_name, key="")
    made = part(path, layer, name, fates)
    return replace(weight, name=new_name, key="", shape=made.shape, decode=Settled(shape=made.shape, own=made))


def _instances(path: str, old: Layer, kind: Kind, now: View, level: Graph, fates: Fates) -> Made:
    """Gain and offset of an InstanceNormalization, which a GroupNormalization of as many groups as channels can be."""
    try:
        groups = as_groups(old.config)
    except EditError as error:
        raise Unfoldable(error.message.rstrip(".")) from error
    was = View("InstanceNormalization", {**old.config, "axis": groups["axis"]})
    made = _norm(path, old, was, now, level, fates, ("scale", "offset") if kind == "examples" else ("gamma", "beta"))
    same = all(now.config.get(key, _GROUPS.get(key)) == value for key, value in groups.items())
    return replace(made, exact=now.class_name == "GroupNormalization" and same and kind != "contrib")


def _norm(
    path: str, old: Layer, was: View, now: View, level: Graph, fates: Fates, names: tuple[str, str] | None = None
) -> Made:
    """Gain and offset, where both layers have them for the same axis. `names` are those of the old layer's."""
    rank = _rank(old, level)
    axes = [_axes(one.config.get("axis", -1), rank) for one in (was, now)]
    if axes[0] != axes[1]:
        raise Unfoldable(f"the {words(old)} works on axis {axes[0]} but the new layer on axis {axes[1]}")
    pairs = zip(names or _NORMS[was.class_name], _NORMS[now.class_name], strict=True)
    arrays = (copied(path, old, was.prefix + one, now.prefix + other, fates) for one, other in pairs if one and other)
    switched = {"gamma": "scale", "beta": "center"}
    made = tuple(
        one for one in arrays if one is not None and now.config.get(switched.get(one.name, ""), True) is not False
    )
    tracks = table.tracks_batches(was.class_name)
    return Made(made, why="its statistics come from the training data" if tracks and not made else "")


def _rank(layer: Layer, level: Graph) -> int | None:
    refs = layer.calls[0].inputs() if layer.calls else ()
    shape = level.spec(refs[0]).shape if refs else None
    return None if shape is None else len(shape)


def _axes(axis: Any, rank: int | None) -> list[int]:
    given = [int(one) for one in (axis if isinstance(axis, (list, tuple)) else [axis])]
    return sorted(one % rank if rank else one for one in given)


def _directions(layer: Layer) -> dict[str, tuple[str, Config, Config, str]]:
    """By direction, a recurrent layer's kind of cell, the cell's config, the layer's, and the prefix of its arrays."""
    found = view(layer)
    if found is None:
        return {}
    if found.class_name == "Bidirectional":
        both = {"forward": "layer", "backward": "backward_layer"}
        ways = {way: _inside(found.config, key) for way, key in both.items()}
        return {way: (*one, f"{way}_layer/cell/") for way, one in ways.items() if one is not None}
    single = _cell(found.class_name, found.config)
    if single is None:
        return {}
    way = "backward" if found.config.get("go_backwards") else "forward"
    return {way: (*single, f"{found.prefix}cell/")}


def _inside(config: Config, key: str) -> tuple[str, Config, Config] | None:
    entry = config.get(key) or config.get("layer")
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        return None
    return _cell(str(entry.get("class_name")), entry["config"])


def _cell(class_name: str, config: Config) -> tuple[str, Config, Config] | None:
    """Kind of cell, its config and the layer's; `None` for what is no recurrent layer of one known cell."""
    if class_name == "RNN":
        entry = config.get("cell")
        if not isinstance(entry, dict) or entry.get("class_name") not in _CELLS:
            return None
        cell = entry.get("config") or {}
        return _CELLS[str(entry["class_name"])], cell, {**cell, **config}
    return (_CELLS[class_name], config, config) if class_name in _CELLS else None


def _recurrent(
    path: str,
    old: Layer,
    ways: dict[str, tuple[str, Config, Config, str]],
    new: Layer,
    wanted: dict[str, tuple[str, Config, Config, str]],
    fates: Fates,
) -> Made:
    """The cells' arrays, direction by direction, where the cells are of one kind and size."""
    (kind, cell, _, _), (other, needs, _, _) = next(iter(ways.values())), next(iter(wanted.values()))
    if kind != other:
        raise Unfoldable(f"the gates of {with_article(kind)} and {with_article(other)} mean different things")
    if cell.get("units") != needs.get("units"):
        raise Unfoldable(f"it has {cell.get('units')} units but the new layer has {needs.get('units')}")
    if kind == "GRU" and cell.get("reset_after", True) != needs.get("reset_after", True):
        raise Unfoldable("reset_after differs, which changes what the biases mean")
    shared = [way for way in ways if way in wanted]
    if not shared:
        raise Unfoldable("it reads the sequence in the opposite direction")
    made = []
    for way in shared:
        biased = wanted[way][1].get("use_bias", True) is not False
        for array in _CELL_ARRAYS if biased else _CELL_ARRAYS[:2]:
            one = copied(path, old, ways[way][3] + array, wanted[way][3] + array, fates)
            if one is not None:
                made.append(one)
    same = all(_equal(ways[way][2], wanted[way][2]) for way in shared)
    biases = all(
        bool(ways[way][1].get("use_bias", True)) == bool(wanted[way][1].get("use_bias", True)) for way in shared
    )
    return Made(tuple(made), exact=same and biases and ways.keys() == wanted.keys() and _merged(old) == _merged(new))


def _merged(layer: Layer) -> Any:
    """How a Bidirectional joins its two directions."""
    return layer.config.get("merge_mode", "concat") if layer.class_name == "Bidirectional" else None


def _equal(one: Config, other: Config) -> bool:
    return all(one.get(key, default) == other.get(key, default) for key, default in _CELL_FIELDS.items())


def _slope(was: View, now: View) -> Made:
    """A learnt slope that starts where the fixed one was."""
    if "alpha_initializer" in now.config:
        return Made()
    plainly = was.class_name == "LeakyReLU" or (was.config.get("max_value") is None and not was.config.get("threshold"))
    slope = was.config.get("negative_slope", 0.3 if was.class_name == "LeakyReLU" else 0.0)
    if not isinstance(slope, (int, float)) or not plainly:
        return Made()
    rule = Initialize(initializer="constant", value=float(slope))
    return Made(rules=((f"{now.prefix}alpha", rule),), exact=True)
