"""The command line: the same functions as the window, in this process; a contract that scripts rely on.

Exit codes: 0 done, 1 the plan has errors or a check failed, 2 unreadable file, bad recipe or bad arguments,
3 our own fault. Results go to standard output, everything else to standard error, and no traceback to anybody.
"""

import contextlib
import os
from collections.abc import Callable

import typer

from core.cli.commands import build
from core.cli.speech import Speech
from core.environment import own_streams, prepare_for_engine
from core.errors import NotChecked, SutureError
from core.reports import own_fault

USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]  # typer does not export its own UsageError
INTERRUPTED = 130


def run(arguments: list[str], tour: Callable[[str, Callable[[str], None]], None] | None = None) -> int:
    """Carry out one command; returns the exit code.

    `tour` drives the window, which this room knows nothing of: it gets a folder and a function to tell its steps to.
    """
    prepare_for_engine()
    with own_streams("command") as (out, err):
        speech = Speech(out, err)
        try:
            code = _run(arguments, speech, tour)
            out.flush()
        except BrokenPipeError:
            # whoever read our output has had enough
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
            return 0
    return code


def _run(arguments: list[str], speech: Speech, tour: Callable[[str, Callable[[str], None]], None] | None) -> int:
    command = typer.main.get_command(build(speech, tour))
    try:
        # help is all that typer prints by itself, and it is a result
        with contextlib.redirect_stdout(speech.out) if {"--help", "-h"} & {*arguments} else contextlib.nullcontext():
            code = command.main(arguments, prog_name="suture", standalone_mode=False)
    except SutureError as error:
        speech.problem(error.message)
        interrupted = isinstance(error, NotChecked) and isinstance(error.__cause__, KeyboardInterrupt)
        return INTERRUPTED if interrupted else error.exit_code
    except USAGE_ERROR as error:
        message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
        speech.problem(" ".join(message.split()).rstrip(".") + "; see 'suture --help'.")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        speech.problem("Cancelled; nothing was written.")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - no traceback reaches a person: it goes to a report
        fault = own_fault(error, f"running '{arguments[0] if arguments else ''}'")
        speech.problem(fault.message)
        return fault.exit_code
    if code == INTERRUPTED:  # how typer itself ends after a KeyboardInterrupt
        speech.problem("Cancelled; nothing was written.")
    return code if isinstance(code, int) else 0
