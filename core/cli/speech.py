"""What the command line says and where: results to standard output, everything else to standard error."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.text import Text

from core.printable import printable

PLAIN_WIDTH = 160
"""Columns where standard output is no terminal: wide enough that tables keep their words."""


class _Console(Console):
    """A console that lets its caller know when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError

    def render_str(self, text: str, **options: Any) -> Text:
        """Names from files come here first, where the room that they take is measured."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Whatever else is shown ends as segments; rich's own control codes are marked as such."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


class Speech:
    """The two streams of one run."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self.out = out
        self._out = _Console(file=out, width=None if out.isatty() else PLAIN_WIDTH, highlight=False)
        self._err = _Console(file=err, width=None if err.isatty() else PLAIN_WIDTH, highlight=False)

    def json(self, value: Any) -> None:
        """One JSON document, indented, alone on standard output. Not-a-number becomes null."""
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        self.out.write(printable(text) + "\n")

    def program(self, text: str) -> None:
        """A Python program, whose strings mean the same with escapes in them."""
        self.out.write(printable(text))

    def show(self, *parts: RenderableType) -> None:
        """A result for people."""
        for part in parts:
            self._out.print(part)

    def log(self, text: str) -> None:
        """A remark on what is going on."""
        self._err.print(text, markup=False, soft_wrap=True)

    def problem(self, sentence: str) -> None:
        """Why it did not work, in one sentence on one line."""
        self._err.print(printable(" ".join(sentence.split())), markup=False, soft_wrap=True, style="red")

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str, float], None]]:
        """A progress bar while a terminal looks on; otherwise silence. Gives the function that moves it."""
        if not self._err.is_terminal:
            yield lambda stage, fraction: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._err, transient=True) as bars:
            task = bars.add_task(title, total=1.0)
            yield lambda stage, fraction: bars.update(task, description=stage or title, completed=fraction)
