"""Give a layer another config, or put a layer of another class in its place."""

from typing import Any, ClassVar, Literal

from msgspec import Struct
from msgspec.structs import replace

from core.edits.base import Context, Edit, Outcome
from core.edits.fold_weights import assumed
from core.errors import EditError
from core.findings import Finding, Fix, Severity
from core.layers import table
from core.layers.call_arguments import translated
from core.model.graph import Graph, Layer
from core.model.levels import owner
from core.model.splice import completed
from core.surgery import contracts
from core.surgery.carrying import Carried, carry, coded, named, same_meaning, words
from core.surgery.held import Fates
from core.surgery.neutral import neutral_norm

_STATES = {name: table.row(name).states for name in table.classes(kind="units")}


class Replaced(Struct, frozen=True):
    """A layer in the place of another: what it took over (`None`: all, it is of the same class), and what `gone` names
    of the arguments that the other was called with.
    """

    layer: Layer
    carried: Carried | None = None
    gone: tuple[str, ...] = ()


class ReplaceLayer(Edit, frozen=True, kw_only=True, tag="replace_layer"):
    """`config` is `{"class_name": ..., "config": {...}}` for a layer of another class, or only arguments to change.

    Connections and name stay. A layer of the same class keeps its weights; where shapes differ a rule is asked for. Of
    those of another class, `carry` says which become whose: `auto` by what they mean where that is known, `meaning`
    also where the layer then computes something else, `name` by their names, `none` starts anew.
    """

    about: ClassVar[str] = "layer"
    layer: str
    config: dict[str, Any]
    carry: Literal["auto", "meaning", "name", "none"] = "auto"

    def check(self) -> None:
        """Something to change."""
        if not self.config:
            raise EditError('config is empty; give arguments such as {"activation": "relu"}.')

    def apply(self, graph: Graph, context: Context) -> Outcome:
        """The graph with the layer changed. What it is given stays; where the new one computes the same, the whole
        model answers as before.
        """
        self.check()
        try:
            layer = graph.find(self.layer)
        except KeyError:
            raise EditError(f"There is no layer {self.layer!r}.") from None
        if graph.opaque:
            raise EditError(f"The connections of {self.layer} are unknown, so it cannot be replaced.")
        made = self.made_of(layer, owner(graph, self.layer)[1], context.fates)
        after = context.shaped(graph.with_layer(self.layer, made.layer))
        alike = made.carried is not None and made.carried.exact and not made.gone
        same = (contracts.unchanged(),) if alike else contracts.fed(graph, self.layer)
        return Outcome(after, same, self.told(layer, after.find(self.layer), made))

    def made_of(self, layer: Layer, level: Graph, fates: Fates) -> Replaced:
        """What becomes of a layer (`level` holds it). Raises `EditError`."""
        if layer.is_input:
            raise EditError(
                f"{self.layer} is an InputLayer; use change_input for its size and channels, or set_batch for its "
                "batch size."
            )
        if layer.is_operation or layer.inner is not None:
            raise EditError(f"{self.layer} is a {layer.class_name}; only single layers can be replaced.")
        fresh = self._changed(layer)
        if same_meaning(layer, fresh):
            return Replaced(fresh)
        pairs = [
            translated(call, (layer.class_name, layer.config), (fresh.class_name, fresh.config)) for call in fresh.calls
        ]
        fresh = replace(fresh, calls=tuple(call for call, _ in pairs))
        _refuse_missing_outputs(self.layer, layer, fresh, level)
        start = neutral_norm(replace(fresh, weights=(), rules=()))
        if start is not None and table.idle(layer.class_name, layer.config):
            found = Carried(replace(start, history=None), exact=True, fresh=("beta", "moving_mean", "moving_variance"))
        elif fresh.inner is not None:  # a model brings its own weights
            found = Carried(fresh, lost=tuple(one.name for one in layer.weights if one.source and not one.state))
        else:
            found = carry(self.layer, layer, fresh, self.carry, level, fates)
        return Replaced(found.layer, found, tuple(dict.fromkeys(name for _, names in pairs for name in names)))

    def _changed(self, layer: Layer) -> Layer:
        """The layer with its class and arguments changed, its weights as they were."""
        class_name = self.config.get("class_name", layer.class_name)
        given = self.config.get("config") if "class_name" in self.config else None
        fields = {**(given or {}), **{k: v for k, v in self.config.items() if k not in _ENTRY}}
        calls = tuple(replace(call, outputs=None) for call in layer.calls)
        if class_name == layer.class_name:
            fields.pop("name", None)
            if "vocabulary" in fields and "vocabulary_size" in layer.config:
                fields.setdefault("vocabulary_size", None)  # Keras counts the words it is given
            return replace(layer, config={**layer.config, **fields}, calls=calls)
        if _joins(layer) and class_name in _SINGLE:
            raise EditError(f"{self.layer} takes several tensors; a {class_name} takes one.")
        takes = table.fields(class_name) or {"dtype", "trainable"}
        kept: dict[str, Any] = {
            key: layer.config[key] for key in ("dtype", "trainable") if key in layer.config and key in takes
        }
        if (
            layer.config.get("data_format") == "channels_first"
            and "data_format" in takes
            and table.row(class_name).rank
        ):
            kept["data_format"] = "channels_first"
        fresh = replace(
            layer,
            class_name=class_name,
            module=self.config.get("module") or "keras.layers",
            registered_name=self.config.get("registered_name"),
            build_config=None,
            opaque=False,
            config={**kept, **completed(class_name, fields), "name": layer.name},
            calls=calls,
        )
        if class_name in _MODELS:
            # imported here: readers know edits
            from core.readers.config_graph import read_layer

            made = read_layer({**self.config, "name": layer.name, "config": {**fields, "name": layer.name}}, "")
            fresh = replace(made, calls=calls, trainable=layer.trainable)
        return fresh

    def told(self, old: Layer, new: Layer, made: Replaced) -> tuple[Finding, ...]:
        """What became of the arrays, what no longer reaches the layer; settings without code are only written down."""
        told = []
        if new.opaque and new.weights:
            text = (
                f"The settings of {self.layer} change, but the code of {new.class_name} is not available, so its "
                "weights are kept without checking that they fit; name the file with its code to check them."
            )
            told.append(Finding("warning", "graph.opaque", self.layer, text))
        if made.gone:
            text = f"{self.layer} was called with {_listed(made.gone)}, which {named(new)} cannot use; outputs change."
            told.append(Finding("warning", "adapt.lossy", self.layer, text))
        if made.carried is not None:
            told += self._arrays(old, new, made.carried)
            told += assumed(self.layer, old) if made.carried.kept else ()
        return tuple(told)

    def _arrays(self, old: Layer, new: Layer, found: Carried) -> list[Finding]:
        """What was carried over, what was not and why."""
        if not found.lost and (found.exact or not found.kept):
            return []
        was, now = named(old), named(new)
        detail = "\n".join([*(f"{self.layer}/{one}" for one in (*found.lost, *found.fresh))])
        if found.open:
            text = (
                f"{self.layer} was {was} and becomes {now}, but {found.why}, so with this kernel it would compute "
                "something different; choose what to do with the kernel."
            )
            ways = (
                Fix("Convert the kernel anyway", (replace(self, carry="meaning"),)),
                Fix("Use the kernel unchanged", (replace(self, carry="name"),)),
                self._anew(),
            )
            return [Finding("error", "weight.mismatch", self.layer, text, ways, detail)]
        if not found.lost:
            text = f"{self.layer} was {was} and becomes {now}: its arrays are carried over, but outputs "
            text += f"change, because {found.why}." if found.why else "can change."
            return [Finding("warning", "adapt.lossy", self.layer, text, detail=detail)]
        if found.exact:
            text = (
                f"{self.layer} was {was} and becomes {now}, which does not need {_listed(found.lost)}: "
                f"{'it was' if len(found.lost) == 1 else 'they were'} only used in training. Outputs stay the same."
            )
            return [Finding("info", "weight.unmatched", self.layer, text, detail=detail)]
        severity: Severity = "info" if self.carry in ("none", "name") else "warning"
        lost = f"{_listed(found.lost)} {_are(found.lost)} dropped"
        if found.kept:
            text = f"{_listed(found.kept)} {_are(found.kept)} carried over, {lost}"
        else:
            text = f"none of its weights are carried over{f', because {found.why}' if found.why else ''}; {lost}"
        if found.fresh:
            text += f", and {_listed(found.fresh)} start{'s' if len(found.fresh) == 1 else ''} at initial values"
        text = f"{self.layer} was {was} and becomes {now}: {text}. Outputs change."
        fixes: tuple[Fix, ...] = ()
        if not found.kept and self.carry == "auto" and not found.layer.opaque:
            fixes = self._choices(old, found)
        return [Finding(severity, "weight.unmatched", self.layer, text, fixes, detail)]

    def _choices(self, old: Layer, found: Carried) -> tuple[Fix, ...]:
        """Both ways on for arrays whose meaning in the new layer is not known."""
        shared = [name for name in found.lost if name in found.fresh or not found.fresh]
        if not found.fresh and not coded(found.layer):
            return ()
        if "gates" in found.why:
            return (self._anew(),)
        by_name = (Fix("Carry them over by name", (replace(self, carry="name"),)),) if shared else ()
        return (*by_name, self._anew())

    def _anew(self) -> Fix:
        return Fix("Start it at initial values", (replace(self, carry="none"),))

    def summary(self) -> str:
        """For the recipe list."""
        if "class_name" in self.config:
            return f"{self.layer} becomes {self.config['class_name']}"
        return f"{self.layer}: {', '.join(sorted(self.config))} changed"


def _refuse_missing_outputs(path: str, old: Layer, new: Layer, level: Graph) -> None:
    """Raise `EditError` where others use more tensors of the layer than the new one gives."""
    refs = [*level.output_refs(), *(ref for layer in level.layers for call in layer.calls for ref in call.inputs())]
    used = max((ref.output for ref in refs if ref.layer == old.name), default=0)
    inside = new.config.get("layer")
    kind = str(inside.get("class_name")) if isinstance(inside, dict) else new.class_name
    config = inside.get("config") or {} if isinstance(inside, dict) else new.config
    states = _STATES.get(kind)
    if used and (states is not None or (old.class_name in (*_STATES, "Bidirectional", "RNN") and not coded(new))):
        twice = 2 if new.class_name == "Bidirectional" else 1
        gives = 1 + (states or 0) * twice * bool(config.get("return_state"))
        if used >= gives:
            raise EditError(
                f"Output {used} of {path}, counted from 0, is in use, but the new {words(new)} has only {gives}; "
                f"choose a layer with at least {used + 1} outputs."
            )


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    shown = list(names[:4])
    if more or len(shown) == 1:
        return ", ".join(shown) + more
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"


def _joins(layer: Layer) -> bool:
    """Whether a call gives the layer a list of several tensors."""
    return any(len(call.inputs()) > 1 and isinstance(call.args[:1] and call.args[0], list) for call in layer.calls)


# Keras's symbolic call takes a list for these, and then they fail on real numbers.
_SINGLE = (
    table.classes(several=False, same_shape=True)
    | table.classes(family=("dense", "embedding"))
    | table.classes(acts="moving")
)
_MODELS = frozenset({"Functional", "Sequential"})
_ENTRY = frozenset({"class_name", "config", "module", "registered_name", "build_config"})
