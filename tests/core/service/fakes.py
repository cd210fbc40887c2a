"""Handlers that need no model: they run in the child, so they live in a module of their own."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from core.errors import FileError
from core.service import messages
from core.service.handlers import Handlers, Progress
from core.stopping import checkpoint
from core.writers.partials import partial_path


def make() -> Handlers:
    """One handler per message, each showing one way a request can go."""

    def open_model(body: messages.OpenModel, progress: Progress) -> Any:
        match body.path:
            case "refused":
                raise FileError("refused is not a model.", path=body.path, code="file.damaged")
            case "broken":
                raise ZeroDivisionError("a fault of ours")
            case "killed":
                os._exit(7)
            case "huge":
                return len(bytearray(1 << 40))
            case "unpicklable":
                return lambda: None
            case "noisy":
                sys.stdout.write("noise on stdout\n")
                os.write(2, b"noise on stderr")
                return "quiet"
            case "modules":
                return sorted(sys.modules)
            case "slow":
                time.sleep(0.5)
        return body.path

    def plan(body: messages.MakePlan, progress: Progress) -> Any:
        """One with `slow` in it goes on until it is ended, and says when it has begun."""
        if any(getattr(edit, "layer", "") == "slow" for edit in body.recipe.edits):
            progress("planning", 0.0)
            while True:
                checkpoint()
        return ("planned", len(body.recipe.edits))

    def apply(body: messages.Apply, progress: Progress) -> Any:
        partial_path(body.out, os.getpid()).write_bytes(b"half")
        for step in range(1000):
            progress("writing", step / 1000)
            time.sleep(0.001)
        if body.out.endswith("endless.keras"):
            time.sleep(600)
        partial_path(body.out, os.getpid()).rename(body.out)
        return str(Path(body.out).stat().st_size)

    def set_source(body: messages.SetSource, progress: Progress) -> Any:
        if body.trust:
            os._exit(9)
        return ("source", os.getpid(), len(body.source.metadata.get("padding", "")))

    return {
        messages.OpenModel: open_model,
        messages.MakePlan: plan,
        messages.Apply: apply,
        messages.SetSource: set_source,
    }
