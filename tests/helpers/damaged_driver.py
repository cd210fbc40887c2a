"""Opens every file named on standard input in this process, with bounded memory; one JSON line for each."""

import json
import os
import resource
import sys
import time
from pathlib import Path

ROOM = 2 << 30


def main() -> None:
    """Read each file and look at two of its arrays."""
    from core.analysis.opening import read_model
    from core.errors import FileError
    from core.readers import open_store

    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))
    for line in sys.stdin:
        began, answer = time.monotonic(), "graph"
        try:
            source = read_model(line.rstrip("\n"))
            keys = [one.source.key for _, layer in source.graph.walk() for one in layer.weights if one.source]
            if keys:
                with open_store(source) as store:
                    for key in keys[:2]:
                        store.read(key)
        except FileError as error:
            answer = error.message
        sys.stdout.write(json.dumps({"answer": answer, "seconds": time.monotonic() - began}) + "\n")
        sys.stdout.flush()
    sys.stdout.write(json.dumps({"peak": peak()}) + "\n")


def peak() -> int:
    """The most memory this program held, in bytes. `ru_maxrss` would count what its parent held when it forked."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    main()
