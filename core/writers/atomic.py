"""Outputs appear whole or not at all: written beside their destination, renamed when done, removed when not.

A result that is checked gets its name after the check alone: until then it lies in a folder of its own (`Unchecked`).
One that fails is kept under a name that no program takes for a model.
"""

import os
from pathlib import Path

from core.errors import FileError


def check_destination(out: Path, *used: Path) -> None:
    """Refuse what can be seen beforehand: a missing folder, a folder as the output, an output that is itself `used`.

    Raises `FileError`.
    """
    if not out.parent.exists():
        raise FileError(f"The folder {out.parent} does not exist; create it or choose another place.", path=str(out))
    if not out.parent.is_dir():
        raise FileError(f"{out.parent} is not a folder; choose another place for {out.name}.", path=str(out))
    for one in used:
        if one.exists() and out.exists() and os.path.samefile(one, out):
            raise FileError(f"{out} is an input file, which is never overwritten; choose another name.", path=str(out))
