"""Suture's door: no command, or models alone, open the window; a command runs without one."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = frozenset({"inspect", "plan", "apply", "verify", "diff", "script", "report", "schema", "tour", "weights"})


def main(arguments: list[str] | None = None) -> int:
    """Run Suture; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and (arguments[0] in COMMANDS or any(one.startswith("-") for one in arguments)):
        from core.cli import run

        return run(arguments, tour=_tour)
    missing = next((path for path in arguments if not os.path.exists(path)), None)
    if missing is not None:
        from core.printable import printable

        sys.stderr.write(printable(f"There is no file and no command '{missing}'; see 'suture --help'.") + "\n")
        return 2
    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))):
        sys.stderr.write("There is no display for a window here; 'suture tour DIR' shows it in pictures.\n")
        return 2
    from gui.app import run_window

    return run_window(arguments)


def _tour(folder: str, say: "Callable[[str], None]") -> None:
    from gui.tour import take_tour

    take_tour(folder, say)


if __name__ == "__main__":
    sys.exit(main())
