"""Tries many recipes on one model in one process, through the engine's handlers and the command line, as JSON lines.

Arguments: a folder with `recipes.json` (`{name: recipe}`), `good.keras`, `written.keras` and `secret.txt`. What Keras
would load, read or fetch for a recipe is written to `marker`, beside what stored code writes there itself.
"""

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

COMMANDS = ("plan", "apply", "verify", "script")
SELDOM = 7
"""Every recipe goes through planning and writing in the engine, trusted and not; one in so many by every other way."""


def main() -> None:
    """Every recipe through every door; one line each on the real standard output."""
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    doors = Doors(folder)
    set_traps(folder / "marker", own_code(folder / "good.keras"))
    for number, (name, recipe) in enumerate(json.loads((folder / "recipes.json").read_text()).items()):
        began = time.monotonic()
        said = dict(doors.all(recipe, everywhere=number % SELDOM == 0))
        answers.write(json.dumps({"name": name, "said": said, "seconds": time.monotonic() - began}) + "\n")


def own_code(good: Path) -> set[str]:
    """The texts of the functions that the trusted model itself stores."""
    from core.readers.formats.raw import raw_config

    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("class_name") == "__lambda__":
                found.add(value["config"]["code"])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(raw_config(good))
    return found


def set_traps(marker: Path, allowed: set[str]) -> None:
    """Whatever leads out of a config leaves a line in the marker before it is done."""
    import tensorflow as tf
    from keras.src.saving import serialization_lib
    from keras.src.utils import file_utils, python_utils

    def trapped(name: str, function: Callable[..., Any], harmless: Callable[..., bool]) -> Callable[..., Any]:
        def trap(*args: Any, **kwargs: Any) -> Any:
            if not harmless(*args, **kwargs):
                with marker.open("a") as file:
                    file.write(f"{name} {args!r}\n"[:300])
            return function(*args, **kwargs)

        return trap

    def inside(path: Any, *_: Any, **__: Any) -> bool:
        return "secret" not in str(path) and "://" not in str(path)

    def never(*_: Any, **__: Any) -> bool:
        return False

    def ours(name: str, *_: Any, **__: Any) -> bool:
        return name.partition(".")[0] not in ("os", "subprocess", "harm_by_import")

    def own(code: Any, *_: Any, **__: Any) -> bool:
        return code in allowed

    for owner, attribute, harmless in (
        (python_utils, "func_load", own),
        (tf.io.gfile, "exists", inside),
        (tf.io.gfile, "GFile", inside),
        (tf.lookup, "TextFileInitializer", never),
        (tf.saved_model, "load", never),
        (file_utils, "get_file", never),
        (file_utils, "exists", inside),
        (serialization_lib.importlib, "import_module", ours),
    ):
        setattr(owner, attribute, trapped(attribute, getattr(owner, attribute), harmless))


def silent(stage: str, fraction: float) -> None:
    """Progress for nobody."""


class Doors:
    """The ways by which a recipe reaches Keras."""

    def __init__(self, folder: Path) -> None:
        from core.analysis.opening import read_model
        from core.cli import run
        from core.service import messages
        from core.service.handlers import engine

        self.folder, self.run = folder, run
        self.engines = {trust: engine() for trust in (False, True)}
        for trust, handlers in self.engines.items():
            body = messages.SetSource(source=read_model(folder / "good.keras"), trust=trust)
            handlers[messages.SetSource](body, silent)

    def all(self, recipe: Any, everywhere: bool) -> Iterator[tuple[str, Any]]:
        """What each way in says: the exit code and a sentence where it refuses."""
        from core.errors import SutureError
        from core.recipes.recipe import from_json

        text = json.dumps(recipe)
        path = self.folder / "hostile.json"
        path.write_text(text)
        try:
            parsed = from_json(text)
        except SutureError as error:
            yield "recipe", [error.exit_code, error.message]
        else:
            for trust, handlers in self.engines.items():
                yield from self.service(handlers, parsed, trust, everywhere)
        for command in COMMANDS if everywhere else ():
            yield command, self.command(command, path, ("--trust",))

    def service(self, handlers: Any, recipe: Any, trust: bool, everywhere: bool) -> Iterator[tuple[str, Any]]:
        """The window's requests."""
        from core.errors import SutureError
        from core.service import messages

        out, label = str(self.folder / "window.keras"), "trusted" if trust else "untrusted"
        bodies = [
            messages.MakePlan(recipe=recipe),
            messages.Apply(recipe=recipe, out=out, verify=True),
            messages.Verify(recipe=recipe, out=str(self.folder / "written.keras")),
            messages.CompareRules(recipe=recipe, number=1),
            messages.AskSizes(recipe=recipe, input="in", axes=(1, 2)),
            messages.CheckRecipes(recipes=(recipe,)),
            messages.MatchWeights(recipe=recipe, file=str(self.folder / "good.keras")),
        ]
        for body in bodies if everywhere else bodies[:2]:
            key = f"{label} {type(body).__name__}"
            try:
                answer = handlers[type(body)](body, silent)
                if isinstance(body, messages.CheckRecipes):
                    yield key, [0 if answer[0].ok else 2, answer[0].reason]
                else:
                    yield key, [0, ""]
            except SutureError as error:
                yield key, [error.exit_code, error.message]
            except Exception as error:  # noqa: BLE001 - told to the test, which fails for it
                yield key, [3, f"{type(error).__name__}: {error}"]

    def command(self, name: str, recipe: Path, further: tuple[str, ...]) -> Any:
        """A command's exit code and words."""
        good, out = str(self.folder / "good.keras"), str(self.folder / "out.keras")
        arguments = {
            "plan": ["plan", good, str(recipe)],
            "apply": ["apply", good, str(recipe), "-o", out, "--verify"],
            "verify": ["verify", good, str(recipe), str(self.folder / "written.keras")],
            "script": ["script", good, str(recipe), "-o", out],
        }[name]
        with captured() as words:
            code = self.run([*arguments, *further])
        return [code, words()]


@contextlib.contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Descriptors 1 and 2 into one file."""
    import tempfile

    kept = os.dup(1), os.dup(2)
    read = io.StringIO()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield read.getvalue
        finally:
            for number, saved in zip((1, 2), kept, strict=True):
                os.dup2(saved, number)
                os.close(saved)
            file.seek(0)
            read.write(file.read())


if __name__ == "__main__":
    main()
