"""Run Python in a fresh process in which some packages cannot be imported."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Blocker())
"""


def run_blocked(code: str, blocked: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Run `code` at the project's root; importing one of the `blocked` packages raises `ImportError` there."""
    program = _BLOCK.format(blocked=set(blocked)) + code
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
