"""The command that does in a terminal what the window shows, ready to be pasted."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from core.readers.source import Source
from gui.models.opened import suggested_name

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 100_000
"""Systems refuse arguments of more than 128 KiB; a longer recipe goes to standard input."""
END = "END_OF_RECIPE"


def command_line(source: Source, recipe: str, code: Iterable[str] = (), *, trust: bool = False) -> str:
    """`apply` on this source with a recipe, given as JSON; quoted for the shell of this system."""
    text = json.dumps(json.loads(recipe), separators=(",", ":"))
    given = "-" if len(text) > LONGEST and os.name != "nt" else text
    words = [*program(), "apply", os.path.abspath(source.path), given, "-o", str(destination(source))]
    if source.weights_path:
        words += ["--weights", os.path.abspath(source.weights_path)]
    for path in code:
        words += ["--code", os.path.abspath(path)]
    if trust:
        words.append("--trust")
    line = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return f"{line} <<'{END}'\n{text}\n{END}\n" if given == "-" else line


def program() -> list[str]:
    """How this very program is started."""
    main = ROOT / "main.py"
    return [sys.executable, str(main)] if main.exists() else ["suture"]


def destination(source: Source) -> Path:
    """Beside the source; in the person's own folder for a sample that comes with the program."""
    folder = Path(source.path).absolute().parent
    if ROOT in (folder, *folder.parents):
        folder = Path.home()
    return folder / suggested_name(source)
