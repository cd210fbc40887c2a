"""What the helper processes can do: one function per kind of request.

Each factory runs inside the child, so what it imports stays out of the window's process.
"""

from collections.abc import Callable
from typing import Any

from core.service import messages

Progress = Callable[[str, float], None]
Handler = Callable[[Any, Progress], Any]
Handlers = dict[type, Handler]


def reader() -> Handlers:
    """Describe files and look at single arrays; never Keras."""
    from core.graph import Graph
    from core.readers import open_store, read_model
    from core.readers.source import Source
    from core.service.preview import preview_weight

    def open_model(body: messages.OpenModel, progress: Progress) -> Any:
        progress("reading", 0.0)
        return read_model(body.path, body.weights_path)

    def preview(body: messages.PreviewWeight, progress: Progress) -> Any:
        with open_store(Source(path=body.path, format="", kind="weights", graph=Graph(name=""))) as store:
            return preview_weight(store.read(body.key), body)

    return {messages.OpenModel: open_model, messages.PreviewWeight: preview}


def engine() -> Handlers:
    """Plan, write and verify with Keras. The import takes seconds, so it happens with the first request."""
    engines: list[Any] = []

    def the_engine() -> Any:
        from core.engine import api

        if not engines:
            engines.append(api.Engine())
        return engines[0]

    def warm(body: messages.Warm, progress: Progress) -> Any:
        progress("importing Keras", 0.0)
        from core.engine import api

        return api.warm()

    def set_source(body: messages.SetSource, progress: Progress) -> Any:
        return the_engine().set_source(body.source, body.code, body.trust)

    def make_plan(body: messages.MakePlan, progress: Progress) -> Any:
        return the_engine().plan(body.recipe)

    def apply(body: messages.Apply, progress: Progress) -> Any:
        return the_engine().apply(body.recipe, body.out, body.verify, progress)

    def verify(body: messages.Verify, progress: Progress) -> Any:
        return the_engine().verify(body.recipe, body.out, progress, body.inputs)

    def compare(body: messages.CompareRules, progress: Progress) -> Any:
        progress("running every rule", 0.0)
        return the_engine().compare(body.recipe, body.number, body.weight, body.inputs)

    def sizes(body: messages.AskSizes, progress: Progress) -> Any:
        return the_engine().legal_sizes(body.recipe, body.input, body.axes, body.wanted)

    return {
        messages.Warm: warm,
        messages.CompareRules: compare,
        messages.AskSizes: sizes,
        messages.SetSource: set_source,
        messages.MakePlan: make_plan,
        messages.Apply: apply,
        messages.Verify: verify,
    }
