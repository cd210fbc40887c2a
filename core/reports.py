"""Our own mistakes: saved to a file in full, told in one sentence."""

import platform
import tempfile
import time
import traceback
from pathlib import Path

from core import __version__
from core.environment import state_folder
from core.errors import OwnFault


def own_fault(error: BaseException, doing: str) -> OwnFault:
    """Save what is known of an unexpected `error` and return the fault to show instead; `doing` completes "while"."""
    report = save_report(error, doing)
    return OwnFault(
        f"Internal error while {doing} ({type(error).__name__}); your files are unchanged. "
        f"Please report it; the text to attach is in {report}.",
        report=report,
    )


def save_report(error: BaseException, doing: str) -> str:
    """Write the traceback and versions to a new file in the state folder; returns its path."""
    lines = [
        f"Suture {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"{time.strftime('%Y-%m-%d %H:%M:%S')}, while {doing}",
        "",
        "".join(traceback.format_exception(error)),
    ]
    try:
        folder = state_folder()
    except OSError:
        folder = Path(tempfile.gettempdir())
    with tempfile.NamedTemporaryFile(
        "w", prefix=time.strftime("fault-%Y%m%d-%H%M%S-"), suffix=".txt", dir=folder, delete=False, encoding="utf-8"
    ) as file:
        file.write("\n".join(lines))
        return file.name
