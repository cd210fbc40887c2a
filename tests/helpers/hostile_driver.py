"""Runs the command line on many files in one process with bounded memory, and tells what came of each, as JSON lines.

Arguments: a JSON file with `[[name, [arguments...]], ...]`. A process of its own for every command would import
TensorFlow hundreds of times.
"""

import contextlib
import gc
import json
import os
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

PATIENCE = 60.0
ROOM = 2 << 30


def main() -> None:
    """Run every command; the last line on the real standard output is about the last command that ended."""
    from core.cli import run

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # everything a command needs is loaded before the memory is bounded
    import core.engine.api  # noqa: F401

    gc.collect()
    gc.freeze()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))
    for name, arguments in json.loads(Path(sys.argv[1]).read_text()):
        watch = threading.Timer(PATIENCE, lambda: os._exit(99))
        watch.start()
        began = time.monotonic()
        out, err = (tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2))  # noqa: SIM115 - closed below
        kept = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            code = run(arguments)
        finally:
            for number, saved in zip((1, 2), kept, strict=True):
                os.dup2(saved, number)
                os.close(saved)
        watch.cancel()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
            file.close()
        with contextlib.suppress(BrokenPipeError):
            fields = {"name": name, "code": code, "out": texts[0], "err": texts[1]}
            answers.write(json.dumps({**fields, "seconds": time.monotonic() - began}) + "\n")


if __name__ == "__main__":
    main()
