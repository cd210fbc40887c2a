"""Half-written results: what they are called, and how they are cleared away when a writer was cut off.

Writers write beside their destination and rename when whole, so a name like this is never a result.
"""

import contextlib
import shutil
from pathlib import Path

UNVERIFIED = ".unverified"


def partial_path(out: str | Path, pid: int) -> Path:
    """Where the process `pid` writes before renaming to `out`."""
    out = Path(out)
    return out.with_name(f".{out.name}.partial-{pid}")


def unchecked_path(out: str | Path, pid: int) -> Path:
    """Where a whole result of the process `pid` waits for its check, under its own name in a folder of its own."""
    partial = partial_path(out, pid)
    return partial.with_name(f"{partial.name}-unchecked") / Path(out).name


def unverified_path(out: str | Path) -> Path:
    """What a file is called that was written and did not pass a check: no ending that anything opens as a model."""
    out = Path(out)
    return out.with_name(f"{out.name}{UNVERIFIED}")


def meant_path(kept: str | Path) -> Path:
    """The name that a result was meant for, from what it is called without a check."""
    kept = Path(kept)
    return kept.with_name(kept.name.removesuffix(UNVERIFIED))


def remove_partials(out: str | Path, pid: int) -> None:
    """Remove what the ended process `pid` left of `out`; what is not there or cannot be removed is left alone."""
    if not str(out):
        return
    first = partial_path(out, pid)
    with contextlib.suppress(OSError):
        # a writer may add its format's own ending
        for path in [item for item in first.parent.iterdir() if item.name.startswith(first.name)]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
