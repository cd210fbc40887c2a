"""What the helper processes can do: one function per kind of request.

Each factory runs inside the child, so what it imports stays out of the window's process.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.caches import forget_all
from core.errors import FileError, SutureError
from core.service import messages
from core.service.travel import pack

if TYPE_CHECKING:
    from core.readers.source import WeightStore
    from core.rules.base import Array

Progress = Callable[[str, float], None]
Handler = Callable[[Any, Progress], Any]
Handlers = dict[type, Handler]

KEPT_DOCUMENTS = 6
"""So many documents the engine plans for at a time; each is the graphs of a model and what was found out about them."""


def reader() -> Handlers:
    """Describe files and look at single arrays; never Keras. The file last looked into stays open."""
    from core.analysis.opening import read_model
    from core.analysis.preview import preview_weight
    from core.analysis.slices import block_of
    from core.readers import prove_arrays

    stores = OpenStores()

    def open_model(body: messages.OpenModel, progress: Progress) -> Any:
        progress("reading", 0.0)
        source = read_model(body.path, body.weights_path, body.kinds)
        if body.prove:
            prove_arrays(source)
        return source

    def preview(body: messages.PreviewWeight, progress: Progress) -> Any:
        return preview_weight(stores.store(body.path).read(body.key), body.weight, body.bins, body.kernels)

    def values(body: messages.ReadValues, progress: Progress) -> Any:
        return block_of(stores.array(body.path, body.key), body.weight, body.part)

    def hash_files(body: messages.HashFiles, progress: Progress) -> Any:
        from core.writers.report import hashed

        return tuple(hashed(role, path) for role, path in body.files)

    def ask_trust(body: messages.AskTrust, progress: Progress) -> Any:
        from core.trust_store import is_trusted

        return is_trusted(body.path)

    def trust_file(body: messages.TrustFile, progress: Progress) -> Any:
        from core.trust_store import trust

        return trust(_unchanged(body))

    return {
        messages.OpenModel: open_model,
        messages.PreviewWeight: preview,
        messages.ReadValues: values,
        messages.HashFiles: hash_files,
        messages.AskTrust: ask_trust,
        messages.TrustFile: trust_file,
    }


def _unchanged(body: messages.TrustFile) -> str:
    """The path, if the file is still the one that was opened and looked at. Raises `FileError`."""
    try:
        status = os.stat(body.path)
    except OSError as error:
        raise FileError(f"{body.path} can no longer be read ({error.strerror}).", path=body.path) from error
    if (status.st_size, status.st_mtime_ns) != (body.size, body.mtime_ns):
        raise FileError(
            f"{os.path.basename(body.path)} has changed on disk since it was opened; reload it and review its code "
            "again before you trust it.",
            path=body.path,
        )
    return body.path


class OpenStores:
    """The store of one file at a time; opened anew when the file is another, or is not what it was."""

    def __init__(self) -> None:
        self._seen: tuple[str, int, int] | None = None
        self._store: WeightStore | None = None
        self._held: tuple[str, Array] | None = None

    def store(self, path: str) -> "WeightStore":
        """The arrays of a file. Raises `FileError`."""
        from core.model.graph import Graph
        from core.readers import open_store, stored_at
        from core.readers.source import Source

        try:
            status = os.stat(stored_at(path))
        except OSError as error:
            raise FileError(f"{path} can no longer be read ({error.strerror}).", path=path) from error
        seen = (path, status.st_mtime_ns, status.st_size)
        if self._store is None or seen != self._seen:
            self._held = None
            if self._store is not None:
                self._store.close()
                self._store = None
            # a store needs to know where the arrays are, and nothing else of a source
            self._store = open_store(Source(path=path, format="", kind="weights", graph=Graph("")))
            self._seen = seen
        return self._store

    def array(self, path: str, key: str) -> "Array":
        """One array of a file, kept until another is asked for: a table asks part by part. Raises `FileError`."""
        store = self.store(path)
        if self._held is None or self._held[0] != key:
            self._held = None  # not two large arrays at once
            self._held = (key, store.read(key))
        return self._held[1]


class OneDocument:
    """What the engine process knows of one document. `base` is the plan of its empty recipe; the window has it too."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.base: Any = None


class Documents:
    """The documents of all windows. Those that were asked about last are kept; of others the source is asked for again.

    They share what was learnt of Keras's layers, and the files that recipes name.
    """

    def __init__(self, most: int = KEPT_DOCUMENTS) -> None:
        self._most = most
        self._known: dict[int, OneDocument] = {}
        self._number = 0
        self._shared: tuple[Any, Any] | None = None

    @property
    def current(self) -> OneDocument:
        """The document whose turn it is."""
        from core.analysis.recipe_files import RecipeFiles
        from core.engine import api
        from core.engine.specs import Specs
        from core.service.apart import read_proven

        known = self._known.pop(self._number, None)
        if known is None:
            if self._shared is None:
                self._shared = RecipeFiles(read_proven), Specs()
            known = OneDocument(api.Engine(*self._shared))
        self._known[self._number] = known
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return known

    def turn(self, number: int) -> None:
        """What comes is about this document."""
        known = self._known.get(self._number)
        if known is not None:
            known.engine.leave()
        self._number = number
        known = self._known.get(number)
        if known is not None:
            known.engine.enter()

    def forget(self) -> None:
        """The document whose turn it is is closed."""
        known = self._known.pop(self._number, None)
        if known is not None:
            known.engine.leave()
            forget_all()


def engine() -> Handlers:
    """Plan, write and verify with Keras. The import takes seconds, so it happens with the first request."""
    documents = Documents()

    def the_engine() -> Any:
        return documents.current.engine

    def turn(body: messages.Turn, progress: Progress) -> Any:
        documents.turn(body.document)

    def forget(body: messages.Forget, progress: Progress) -> Any:
        documents.forget()

    def warm(body: messages.Warm, progress: Progress) -> Any:
        progress("importing Keras", 0.0)
        from core.engine import api

        return api.warm()

    def set_source(body: messages.SetSource, progress: Progress) -> Any:
        base = the_engine().set_source(body.source, body.code, body.trust)
        documents.current.base = base
        return base

    def make_plan(body: messages.MakePlan, progress: Progress) -> Any:
        progress("planning", 0.0)
        plan = the_engine().draft(body.recipe)
        base = documents.current.base
        return plan if base is None else pack(plan, base)

    def effect(body: messages.AskEffect, progress: Progress) -> Any:
        return the_engine().effect(body.recipe, body.row)

    def apply(body: messages.Apply, progress: Progress) -> Any:
        return the_engine().apply(body.recipe, body.out, body.verify, progress)

    def save_arrays(body: messages.SaveArrays, progress: Progress) -> Any:
        return the_engine().save_arrays(body.recipe, body.patterns, body.out, progress)

    def check_again(body: messages.CheckAgain, progress: Progress) -> Any:
        return the_engine().check_again(body.recipe, body.out, progress, body.inputs)

    def result_values(body: messages.ResultValues, progress: Progress) -> Any:
        from core.analysis.slices import block_of

        return block_of(the_engine().result_array(body.recipe, body.weight), body.weight, body.part)

    def verify(body: messages.Verify, progress: Progress) -> Any:
        return the_engine().verify(body.recipe, body.out, progress, body.inputs)

    def look(body: messages.LookAtInputs, progress: Progress) -> Any:
        return the_engine().look_at_inputs(body.recipe, body.inputs)

    def compare(body: messages.CompareRules, progress: Progress) -> Any:
        progress("running every rule", 0.0)
        return the_engine().compare(body.recipe, body.number, body.weight, body.inputs)

    def sizes(body: messages.AskSizes, progress: Progress) -> Any:
        return the_engine().legal_sizes(body.recipe, body.input, body.axes, body.wanted)

    def build(body: messages.BuildApplication, progress: Progress) -> Any:
        from core.engine.applications import build_application
        from core.service.apart import read_proven

        if body.weights not in (None, "imagenet") and os.path.isfile(str(body.weights)):
            read_proven(str(body.weights))  # Keras is about to read it here
        return build_application(
            body.name,
            body.out,
            weights=body.weights,
            input_shape=body.input_shape,
            classes=body.classes,
            include_top=body.include_top,
            preprocessing=body.preprocessing,
            progress=progress,
        )

    def describe(body: messages.DescribeLayers, progress: Progress) -> Any:
        from core.engine.describe import layer_classes

        return layer_classes()

    def check(body: messages.CheckRecipes, progress: Progress) -> Any:
        from core.engine.matching import verdict
        from core.layers.descriptions import RecipeCheck

        found = []
        for recipe in body.recipes:
            try:
                found.append(verdict(the_engine().plan(recipe)))
            except SutureError as error:
                found.append(RecipeCheck(False, error.message))
        return tuple(found)

    def match(body: messages.MatchWeights, progress: Progress) -> Any:
        from core.edits import TransferWeights
        from core.engine.matching import aligned
        from core.recipes.recipe import Recipe

        edit = TransferWeights(file=body.file, match=body.match, pairs=body.pairs)
        engine = the_engine()
        (other,) = engine.files(Recipe(edits=(edit,))).values()
        before = engine.plan(body.recipe)
        try:
            edit.check()
            after, problem = engine.plan(body.recipe.plus(edit)), ""
        except SutureError as error:
            after, problem = None, error.message
        return aligned(before, after, other, edit, problem)

    return {
        messages.Turn: turn,
        messages.Forget: forget,
        messages.Warm: warm,
        messages.BuildApplication: build,
        messages.CompareRules: compare,
        messages.AskSizes: sizes,
        messages.SetSource: set_source,
        messages.MakePlan: make_plan,
        messages.AskEffect: effect,
        messages.Apply: apply,
        messages.SaveArrays: save_arrays,
        messages.CheckAgain: check_again,
        messages.ResultValues: result_values,
        messages.Verify: verify,
        messages.LookAtInputs: look,
        messages.DescribeLayers: describe,
        messages.CheckRecipes: check,
        messages.MatchWeights: match,
    }
