"""What surrounds a run: where its own notes are kept, and how TensorFlow is told to be quiet."""

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """The folder for fault reports and logs, made if missing; `SUTURE_STATE` overrides the platform's place."""
    named = os.environ.get("SUTURE_STATE")
    home = Path.home()
    if named:
        folder = Path(named)
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "Suture"
    elif sys.platform == "darwin":
        folder = home / "Library" / "Application Support" / "Suture"
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "suture"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare_for_engine() -> None:
    """Set what TensorFlow and Keras read from the environment when they are imported. Call before that."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
