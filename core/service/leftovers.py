"""What is on the disk of a result whose writer ended before it could say so. No Keras."""

import os

from core.errors import NotChecked
from core.service.messages import Apply, BuildApplication, CheckAgain, SaveArrays
from core.writers.atomic import rescue
from core.writers.partials import unverified_path

Stamp = tuple[int, int, int] | None
"""Which file has a name: its number on the disk, its size, its time; `None` where there is none."""

Writer = Apply | BuildApplication | CheckAgain | SaveArrays
WRITERS = (Apply, BuildApplication, CheckAgain, SaveArrays)
"""Requests that make files."""


def stamp(path: str | os.PathLike[str]) -> Stamp:
    """Which file a name belongs to now."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def settle_leftovers(body: Writer, pid: int, before: Stamp) -> NotChecked | None:
    """Clear away what the ended process `pid` left of a result, but keep what is whole; says what is kept, and where.

    `before` is the `stamp` that the result's name had when it was asked for: a name goes over to a new file only when
    that is whole, and, where a check was asked for, has passed it.
    """
    kept = rescue(body.out, pid)
    name = os.path.basename(body.out)
    if isinstance(body, BuildApplication | SaveArrays):
        return None
    if stamp(body.out) not in (None, before):
        passed = isinstance(body, CheckAgain) or body.verify
        said = f"{name} was written" + (" and passed its check." if passed else ", but not checked.")
        return NotChecked(said, kept=body.out, out=body.out, passed=passed)
    if kept is None and isinstance(body, CheckAgain) and unverified_path(body.out).exists():
        kept = unverified_path(body.out)
    if kept is None:
        return None
    return NotChecked(
        f"{name} was written completely, but it was not checked; it is kept as {kept.name}.",
        kept=str(kept), out=body.out, passed=False,
    )  # fmt: skip
