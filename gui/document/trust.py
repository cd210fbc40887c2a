"""Code that is not Keras's: which layers need some, what the person named or trusted, and what the engine made of it.

Nothing runs in this process. The person's consent becomes a `SetSource` with `code` or `trust`; the engine runs the
file, or lets stored code run, and answers with a plan in which the layers are live. What was named is remembered
until the window closes; what was trusted is remembered by content (`core.trust_store`), by the reader process.
"""

from msgspec import Struct
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import Cancelled, SutureError
from core.findings import Finding, Fix
from core.model.graph import Layer
from core.model.plan import Plan
from core.readers.source import Source
from core.recipes import gestures
from core.service.messages import AskTrust, SetSource, TrustFile
from core.trust_store import Entry, entries, revoke
from gui.document.processes import Processes
from gui.document.session import Session
from gui.models.opened import CODE


class Stored(Struct, frozen=True):
    """A layer with code stored in the file: what was said of it, its code as text, and what could take its place."""

    layer: str
    message: str
    listing: str
    fixes: tuple[Fix, ...] = ()


class Trust(QObject):
    """`settled` when the engine has a plan with the code; `refused` with the error when it has not."""

    settled = Signal()
    refused = Signal(object)
    busy_changed = Signal(bool)

    def __init__(self, session: Session, processes: Processes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._processes = session, processes
        self.code: tuple[str, ...] = ()
        self.trusted = False
        self.busy = False
        self._newly_trusted = ""
        self._named: dict[str, tuple[str, ...]] = {}
        session.source_changed.connect(self._on_source)

    # what there is

    def kind_of(self, path: str) -> str:
        """`lambda` for a layer with stored code, `code` for one whose class is not here, `""` for any other."""
        if any(one.layer == path for one in self.stored()):
            return "lambda"
        layer = self._session.layer(path) if path else None
        source = self._session.source
        if layer is None or (source is not None and source.graph.opaque):
            # what the file keeps of a model class of its own are groups of arrays: no code makes them live
            return ""
        named = any(one.layer == path for one in self._findings() if one.code != "code.lambda")
        return "code" if layer.opaque or named else ""

    def stored(self) -> tuple[Stored, ...]:
        """Every layer of the file with stored code that is still in need of a decision, or runs because of one."""
        said = {one.layer: one for one in self._findings() if one.code == "code.lambda"}
        return tuple(Stored(path, one.message, one.detail, one.fixes) for path, one in said.items())

    def layers_of(self, class_name: str) -> list[str]:
        """Paths of all layers of a class in the source."""
        graph = self._session.source.graph if self._session.source else None
        return [path for path, layer in graph.walk() if layer.class_name == class_name] if graph else []

    def missing(self) -> list[tuple[str, str]]:
        """Path and class of the first layer of every class whose code is not here.

        The class of a subclassed model is not among them: the engine cannot follow what it does with its layers, and
        its weights are taken into a model made of layers instead (`Surgery.take_over`).
        """
        found: dict[str, str] = {}
        for one in self._findings():
            layer = self._find(one.layer)
            unknown = one.code in ("layer.unknown", "code.custom")
            if unknown and layer is not None and layer.class_name not in found.values():
                found[one.layer] = layer.class_name
        return list(found.items())

    def still_missing(self) -> list[str]:
        """Classes without code that the engine's plan still cannot run."""
        base = self._session.base
        live = {path for path, layer in base.graph.walk() if not layer.opaque} if base is not None else set()
        return [name for path, name in self.missing() if path not in live]

    def _find(self, path: str) -> Layer | None:
        source = self._session.source
        try:
            return source.graph.find(path) if source is not None and path else None
        except KeyError:
            return None

    def _findings(self) -> list[Finding]:
        source = self._session.source
        said = source.findings if source is not None else ()
        return [one for one in said if one.code in CODE and one.severity == "warning"]

    # what the person decides

    def run_file(self, path: str) -> None:
        """The person names a Python file and consents to run it."""
        if not self.busy:
            self._settle((*(one for one in self.code if one != path), path), self.trusted)

    def trust(self) -> None:
        """The person trusts the opened file: it is remembered, and its stored code may run from now on."""
        source = self._session.source
        if source is None or self.busy:
            return
        self._set_busy(True)
        body = TrustFile(path=source.path, size=source.size, mtime_ns=source.mtime_ns)
        self._processes.reader.ask(body, self._on_remembered, self._on_not_remembered)

    def replace(self, fix: Fix) -> None:
        """The person takes a layer that computes the same instead of the stored code."""
        self._session.gesture(lambda recipe: gestures.apply_fix(recipe, fix.edits), fix.title)

    def stop(self) -> None:
        """End what runs by ending the engine process; a new one starts with what held before."""
        if self.busy:
            self._processes.cancel_engine()

    def withdraw(self) -> None:
        """Nothing stored in the opened file may run any more."""
        if self.trusted:
            self._settle(self.code, False)

    def revoke(self, digest: str) -> None:
        """Forget a trusted file; if it may be the opened one, its code stops being live."""
        revoke(digest)
        source = self._session.source
        if self.trusted and source is not None:
            self._processes.reader.ask(AskTrust(path=source.path), self._on_asked_again, lambda _: self.withdraw())

    # what follows

    def _settle(self, code: tuple[str, ...], trusted: bool) -> None:
        source = self._session.source
        if source is None:
            return
        self._set_busy(True)
        asked = source
        body = SetSource(source=source, code=code, trust=trusted)

        def on_plan(plan: Plan) -> None:
            if self._session.source is asked:
                self._on_settled(plan, code, trusted)

        def on_error(error: SutureError) -> None:
            if self._session.source is asked:
                self._on_refused(error)

        self._processes.engine.ask(body, on_plan, on_error)

    def _on_settled(self, plan: Plan, code: tuple[str, ...], trusted: bool) -> None:
        source = self._session.source
        assert source is not None
        self.code, self.trusted = code, trusted
        self._newly_trusted = ""
        if code:
            self._named[source.path] = code
        self._session.rebase(plan, settled=bool(code or trusted))
        self._set_busy(False)
        self.settled.emit()

    def _on_refused(self, error: SutureError) -> None:
        source = self._session.source
        if self._newly_trusted:
            # a trust that came to nothing is not kept
            revoke(self._newly_trusted)
            self._newly_trusted = ""
        if source is not None:
            # whatever the engine was told before holds again, also in a process that had to be started anew
            body = SetSource(source=source, code=self.code, trust=self.trusted)
            self._processes.engine.ask(body, lambda _: None, lambda _: None)
        self._set_busy(False)
        self.refused.emit(error)
        if not isinstance(error, Cancelled):
            self._session.note.emit(error.message)

    @Slot(object)
    def _on_remembered(self, entry: Entry) -> None:
        self._newly_trusted = entry.digest
        self._session.note.emit("this file is trusted: the code stored in it may run in the engine")
        self._settle(self.code, True)

    @Slot(object)
    def _on_not_remembered(self, error: SutureError) -> None:
        self._set_busy(False)
        self.refused.emit(error)

    def _on_asked_again(self, known: bool) -> None:
        if not known:
            self.withdraw()

    @Slot()
    def _on_source(self) -> None:
        source = self._session.source
        self.code, self.trusted = (), False
        self._set_busy(False)
        if source is None:
            return
        code = self._named.get(source.path, ())
        if self.stored() and entries():
            opened = source

            def answered(known: bool) -> None:
                if self._session.source is opened and (known or code):
                    self._settle(code, known)

            self._processes.reader.ask(AskTrust(path=source.path), answered, lambda _: None)
        elif code:
            # the session tells the engine of the source first
            QTimer.singleShot(0, self, lambda: self._settle_again(source, code))

    def _settle_again(self, source: Source, code: tuple[str, ...]) -> None:
        if self._session.source is source:
            self._settle(code, False)

    def _set_busy(self, busy: bool) -> None:
        if busy != self.busy:
            self.busy = busy
            self.busy_changed.emit(busy)
