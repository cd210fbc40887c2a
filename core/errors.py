"""What can go wrong with a request or a file: each error has fields, a sentence, and pickles.

A mismatch in a model is not an error but a finding (`core.findings`).
"""

from typing import Any


class SutureError(Exception):
    """One sentence for the person: what happened, what was expected, what to do. `exit_code` as in the command line."""

    exit_code = 2

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        return (_revive, (type(self), self.message, self.fields))


def _revive(kind: type[SutureError], message: str, fields: dict[str, Any]) -> SutureError:
    return kind(message, **fields)


class FileError(SutureError):
    """A file cannot be read or written: `code` is a finding code such as `file.damaged`, `path` the file."""


class SourceNeeded(FileError):
    """The engine does not have the source that is asked about: it never had it, or has let it go for others."""


class RecipeError(SutureError):
    """A recipe is refused. `edit` is the edit's number, counted from 1, or `None`."""


class EditError(SutureError):
    """An edit cannot apply to this graph; the planner adds the edit's number and turns it into a `RecipeError`."""


class RuleError(SutureError):
    """A rule cannot turn an array of one shape into the other; the message says why."""


class PlanRefused(SutureError):
    """The plan has errors, so nothing was written. `plan` is the plan."""

    exit_code = 1


class Cancelled(SutureError):
    """The person cancelled; nothing was written."""


class NotChecked(SutureError):
    """A result was written completely, but its check did not end. `kept` is where it is, `out` the name it is to have.

    `passed` is true where only the answer got lost: the file already has its name, which it gets after a check alone.
    """

    exit_code = 1


class OwnFault(SutureError):
    """Our own mistake. `report` is where the details were saved."""

    exit_code = 3
