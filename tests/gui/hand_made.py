"""Hand-made values for the window's tests: a nested model, a planner of a few lines, a worker without a process."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from core.errors import FileError, SutureError
from core.findings import Finding, Fix
from core.model.graph import Call, Graph, Layer, StoreKey, TensorRef, TensorSpec, Weight
from core.model.plan import Cost, Fate, Plan, Port, RuleDrift, Verification
from core.readers.source import Source
from core.recipes.gestures import make_edit, steps_of
from core.recipes.recipe import Recipe
from core.service.handlers import reader as reader_handlers
from core.service.messages import (
    Apply,
    AskTrust,
    BuildApplication,
    CheckAgain,
    CompareRules,
    MakePlan,
    OpenModel,
    PreviewWeight,
    Reply,
    SetSource,
    TrustFile,
    Verify,
    Warm,
)
from tests.gui import hand_answers
from tests.helpers.edits import applied


def layer(
    name: str,
    class_name: str,
    shape: tuple[int | None, ...],
    *sources: str,
    weights: dict[str, tuple[int, ...]] | None = None,
    **config: Any,
) -> Layer:
    """A layer with one call; `sources` are the layers it takes its input from."""
    refs = tuple(TensorRef(source) for source in sources)
    args: tuple[Any, ...] = (list(refs),) if len(refs) > 1 else refs
    held = tuple(
        Weight(
            weight,
            size,
            key=f"vars/{number}",
            source=StoreKey(f"{name}/{weight}"),
            trainable="moving" not in weight,
        )
        for number, (weight, size) in enumerate((weights or {}).items())
    )
    call = Call(args=args, outputs=(TensorSpec((None, *shape)),))
    return Layer(name, class_name, config={"name": name, **config}, weights=held, calls=(call,), origin=name)


def conv(name: str, shape: tuple[int | None, ...], source: str, channels: int, size: int = 3, **config: Any) -> Layer:
    """A Conv2D to a map of `shape`."""
    filters = shape[-1]
    assert filters is not None
    return layer(
        name,
        "Conv2D",
        shape,
        source,
        weights={"kernel": (size, size, channels, filters), "bias": (filters,)},
        filters=filters,
        kernel_size=[size, size],
        strides=config.pop("strides", [1, 1]),
        padding="same",
        activation="linear",
        use_bias=True,
        data_format="channels_last",
        **config,
    )


def norm(name: str, shape: tuple[int | None, ...], source: str) -> Layer:
    """A BatchNormalization."""
    filters = shape[-1]
    assert filters is not None
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return layer(name, "BatchNormalization", shape, source, weights=dict.fromkeys(names, (filters,)))


def backbone(size: int = 96, channels: int = 3) -> Graph:
    """A residual stem: conv, norm, relu, two branches that are added."""
    half = size // 2
    layers = (
        layer("image", "InputLayer", (size, size, channels), batch_shape=[None, size, size, channels]),
        layer("rescale", "Rescaling", (size, size, channels), "image", scale=1 / 255, offset=0.0),
        conv("stem_conv", (half, half, 32), "rescale", channels, 7, strides=[2, 2]),
        norm("stem_bn", (half, half, 32), "stem_conv"),
        layer("stem_relu", "ReLU", (half, half, 32), "stem_bn"),
        conv("block1_conv1", (half, half, 32), "stem_relu", 32),
        norm("block1_bn1", (half, half, 32), "block1_conv1"),
        layer("block1_relu", "ReLU", (half, half, 32), "block1_bn1"),
        conv("block1_conv2", (half, half, 32), "block1_relu", 32),
        layer("block1_add", "Add", (half, half, 32), "block1_conv2", "stem_relu"),
        layer("block1_out", "ReLU", (half, half, 32), "block1_add"),
    )
    return Graph("backbone", layers=layers, inputs=TensorRef("image"), outputs=TensorRef("block1_out"))


def model(size: int = 96, channels: int = 3, *, flatten: bool = False) -> Graph:
    """A classifier around the backbone, with pooling or with Flatten before its Dense."""
    inner = backbone(size, channels)
    half = size // 2
    pooled = (
        layer("flatten", "Flatten", (half * half * 32,), "backbone")
        if flatten
        else layer("pool", "GlobalAveragePooling2D", (32,), "backbone")
    )
    features = 48 * 48 * 32 if flatten else 32
    nested = replace(
        layer("backbone", "Functional", (half, half, 32), "input_layer"), inner=inner, module="keras.models"
    )
    layers = (
        layer("input_layer", "InputLayer", (size, size, channels), batch_shape=[None, size, size, channels]),
        nested,
        pooled,
        layer("hidden", "Dense", (128,), pooled.name, weights={"kernel": (features, 128), "bias": (128,)}, units=128),
        layer("dropout", "Dropout", (128,), "hidden", rate=0.5),
        layer("predictions", "Dense", (10,), "dropout", weights={"kernel": (128, 10), "bias": (10,)}, units=10),
    )
    return Graph("classifier", layers=layers, inputs=TensorRef("input_layer"), outputs=TensorRef("predictions"))


def source(path: str = "digits.keras", *, flatten: bool = False, findings: tuple[Finding, ...] = ()) -> Source:
    """An opened file with the model in it."""
    return Source(
        path=path,
        format="Keras 3 (.keras)",
        kind="model",
        graph=model(flatten=flatten),
        keras_version="3.15.1",
        findings=findings,
        size=823_412,
    )


def plan_for(opened: Source, recipe: Recipe) -> Plan:
    """A plan as the engine would make it, for `change_input` and `set_trainable` on the hand-made model."""
    flatten = any(one.class_name == "Flatten" for one in opened.graph.layers)
    size, channels = 96, 3
    rule: str | None = None
    for edit in steps_of(recipe, "change_input"):
        size, channels, rule = edit.shape[0] or 96, edit.shape[2], edit.channels
    graph = model(size, channels, flatten=flatten)
    for edit in steps_of(recipe, "set_trainable"):
        graph = applied(graph, edit)
    opaque = {one.name: one for one in opened.graph.layers if one.opaque}
    graph = replace(graph, layers=tuple(opaque.get(one.name, one) for one in graph.layers))
    fates, findings = [], []
    for path, one in graph.walk():
        for weight in one.weights:
            name = f"{path}/{weight.name}"
            fate = Fate(name, "copied", weight.shape, source=name, source_shape=weight.shape, trainable=one.trainable)
            if one.name == "stem_conv" and weight.name == "kernel" and channels != 3:
                was = (7, 7, 3, 32)
                fate = replace(fate, fate="adapted", rule="sum" if rule == "auto" else rule, source_shape=was)
            if flatten and one.name == "hidden" and weight.name == "kernel" and size != 96:
                wanted = ((size // 2) ** 2 * 32, 128)
                fixed = steps_of(recipe, "set_rule")
                kind = "adapted" if fixed else "mismatched"
                fate = replace(fate, fate=kind, shape=wanted, rule="initialize" if fixed else None)
                if not fixed:
                    findings.append(mismatch(path, wanted))
            fates.append(fate)
    if channels != 3:
        findings.append(
            Finding("info", "adapt.lossy", "backbone/stem_conv", "Colour is gone: only brightness is seen from now on.")
        )
    params = graph.num_params()
    trained = sum(fate_size(fate) for fate in fates if fate.trainable)
    return Plan(
        ok=not any(finding.severity == "error" for finding in findings),
        graph=graph,
        inputs=(Port("input_layer", (None, size, size, channels)),),
        outputs=(Port("predictions", (None, 10)),),
        before=Cost(opened.graph.num_params(), opened.graph.num_params(), 41_200_000),
        after=Cost(params, trained, 41_200_000 * size * size // 9216),
        fates=tuple(fates),
        findings=tuple(findings),
    )


def steps(recipe: Recipe) -> list[Any]:
    """A recipe's steps, whatever their kind, for asking after their fields."""
    return list(recipe.edits)


def fate_size(fate: Fate) -> int:
    """How many numbers a weight holds."""
    size = 1
    for dim in fate.shape:
        size *= dim
    return size


def mismatch(path: str, wanted: tuple[int, ...]) -> Finding:
    """The finding for a Dense after Flatten at another size."""
    return Finding(
        "error",
        "weight.mismatch",
        path,
        f"The kernel has 73728 rows in the file, the new size needs {wanted[0]}.",
        actions=(
            Fix("Start anew", (rule_edit(f"{path}/kernel"),)),
            Fix("Back to 96\u00d796", (make_edit("change_input", shape=[96, 96, 3]),)),
        ),
    )


def rule_edit(weight: str) -> Any:
    """A `set_rule` step that initializes a weight."""
    return make_edit("set_rule", weight=weight, rule={"rule": "initialize"})


def live(opened: Source) -> Source:
    """The source with every layer buildable, as the engine has it when it was given code."""
    layers = tuple(replace(one, opaque=False) for one in opened.graph.layers)
    return replace(opened, graph=replace(opened.graph, layers=layers), findings=())


class Written:
    """What the engine answers to `Apply`."""

    def __init__(self, plan: Plan, path: str) -> None:
        self.plan, self.written, self.bytes = plan, path, 812_345
        self.verification: Verification | None = Verification(True, True, True, arrays=3)


class FakeWorker:
    """Answers at once, in the next poll, unless `hold` is set; `sent` records every body."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.hold = False
        self.fails = ""
        self.running = False
        self.restarts = 0
        self.files: dict[str, Source | SutureError] = {}
        self.refuse: SutureError | None = None
        self.refuse_code: SutureError | None = None
        self._sources: dict[int, Source] = {}
        self._documents: dict[int, int] = {}
        self._queue: list[tuple[int, Any]] = []
        self._extra: list[Reply] = []
        self._ids = 0

    @property
    def alive(self) -> bool:
        return self.running

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False
        self._extra += [Reply(number, done=True, error=cancelled()) for number, _ in self._queue]
        self._queue = []

    def restart(self) -> None:
        self.stop()
        self.restarts += 1
        self.start()

    def forget(self, document: int) -> None:
        """What is under way is answered all the same."""

    def send(self, body: Any, document: int = 0) -> int:
        self.start()
        self._ids += 1
        self._documents[self._ids] = document
        self.sent.append(body)
        self._queue.append((self._ids, body))
        return self._ids

    def poll(self) -> list[Reply]:
        extra, self._extra = self._extra, []
        if self.hold:
            return extra
        queue, self._queue = self._queue, []
        return extra + [self._answer(number, body) for number, body in queue]

    def progress(self, stage: str, fraction: float) -> None:
        """Report progress on what was sent last."""
        self._extra.append(Reply(self._ids, stage=stage, fraction=fraction))

    def die(self, error: SutureError) -> None:
        """End by itself: everything that is asked fails with `error`."""
        self.running = False
        self._extra += [Reply(number, done=True, error=error) for number, _ in self._queue]
        self._queue = []

    def bodies(self, kind: type) -> list[Any]:
        """What was sent of one kind."""
        return [body for body in self.sent if isinstance(body, kind)]

    def _answer(self, number: int, body: Any) -> Reply:
        value: Any = None
        if isinstance(body, OpenModel):
            value = self.files.get(body.path) or source(body.path)
            if isinstance(value, SutureError):
                return Reply(number, done=True, error=value)
            if body.weights_path is not None:
                value = replace(value, weights_path=body.weights_path)
        elif isinstance(body, SetSource):
            if self.refuse_code is not None and (body.code or body.trust):
                return Reply(number, done=True, error=self.refuse_code)
            kept = live(body.source) if body.code or body.trust else body.source
            self._sources[self._documents[number]] = kept
            value = plan_for(kept, Recipe())
        elif isinstance(body, PreviewWeight):
            return Reply(number, done=True, error=FileError("No arrays in a hand-made model."))
        elif self.refuse is not None and isinstance(body, MakePlan | Apply | Verify):
            return Reply(number, done=True, error=self.refuse)
        elif isinstance(body, MakePlan | Apply | CheckAgain):
            kept = self._sources[self._documents[number]]
            plan = plan_for(kept, body.recipe)
            value = plan if isinstance(body, MakePlan) else Written(plan, body.out)
            if isinstance(body, Apply) and not body.verify:
                value.verification = None
            elif isinstance(body, Apply) and self.fails:
                value.written += ".unverified"
                value.verification = Verification(True, True, False, message=self.fails, arrays=3)
        elif isinstance(body, CompareRules):
            edits = [make_edit("change_input", shape=[96, 96, 1], channels=rule) for rule in ("sum", "mean")]
            value = (RuleDrift("sum", 0.0, (edits[0],)), RuleDrift("mean", 0.67, (edits[1],)))
        elif isinstance(body, Verify):
            value = Verification(reloaded=True, forward=True, copied_equal=True, arrays=3)
        elif isinstance(body, AskTrust | TrustFile):
            try:
                value = reader_handlers()[type(body)](body, lambda stage, fraction: None)
            except SutureError as error:
                return Reply(number, done=True, error=error)
        elif isinstance(body, BuildApplication):
            if self.refuse_code is not None:
                return Reply(number, done=True, error=self.refuse_code)
            Path(body.out).touch()
            value = body.out
        elif isinstance(body, Warm):
            value = {"keras": "3.15.1"}
        else:
            value = hand_answers.answer(body)
        return Reply(number, done=True, value=value)


def cancelled() -> SutureError:
    """What a stopped worker says."""
    from core.errors import Cancelled

    return Cancelled("Cancelled; nothing was written.")
