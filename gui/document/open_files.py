"""Which files the documents of this program have open, so that nothing removes one of them."""

from weakref import WeakSet

from gui.document.session import Session

_SESSIONS: "WeakSet[Session]" = WeakSet()


def watch(session: Session) -> None:
    """A document begins."""
    _SESSIONS.add(session)


def open_paths() -> frozenset[str]:
    """Every file that a document has open now, and the files of weights that fill an architecture."""
    found = [one.source for one in _SESSIONS if one.source is not None]
    return frozenset(path for one in found for path in (one.path, one.weights_path) if path)
