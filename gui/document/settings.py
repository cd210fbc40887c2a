"""What is remembered between runs, with types: `QSettings` alone hands back `'false'`, `'3'`, or `None` for `[]`."""

import json
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QByteArray, QSettings

from gui.widgets.theme import Choice

MAX_RECENT = 8
RESOURCES = Path(__file__).resolve().parents[2] / "resources"


class Settings:
    """Typed access to one INI file. Values that cannot be understood count as absent."""

    def __init__(self, path: Path | None = None) -> None:
        """Without a path the user's own settings file serves."""
        if path is None:
            self._store = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "suture", "suture")
        else:
            self._store = QSettings(str(path), QSettings.Format.IniFormat)

    @property
    def theme(self) -> Choice:
        """`auto`, `light` or `dark`."""
        value = self._read("theme", "auto")
        return cast("Choice", value) if value in ("auto", "light", "dark") else "auto"

    @theme.setter
    def theme(self, value: str) -> None:
        self._write("theme", value)

    @property
    def recent(self) -> list[str]:
        """Files opened lately, newest first, those gone left out."""
        value = self._read("recent", [])
        if not isinstance(value, list):
            return []
        return [item for item in value if isinstance(item, str) and Path(item).exists()][:MAX_RECENT]

    def add_recent(self, path: str) -> None:
        """Put a file on top of the recent ones."""
        self._write("recent", [path, *(item for item in self.recent if item != path)][:MAX_RECENT])

    def clear_recent(self) -> None:
        """Forget the recent files."""
        self._write("recent", [])

    @property
    def recent_recipes(self) -> list[str]:
        """Recipes loaded or saved lately, newest first, those gone left out."""
        value = self._read("recent_recipes", [])
        if not isinstance(value, list):
            return []
        return [item for item in value if isinstance(item, str) and Path(item).exists()][:MAX_RECENT]

    def add_recent_recipe(self, path: str) -> None:
        """Put a recipe on top of the recent ones."""
        whole = str(Path(path).absolute())
        self._write("recent_recipes", [whole, *(item for item in self.recent_recipes if item != whole)][:MAX_RECENT])

    @property
    def folder(self) -> str:
        """Where the last file was opened or saved; what comes with the program is no place for a person's files."""
        value = self._read("folder", "")
        good = isinstance(value, str) and Path(value).is_dir() and not shipped(value)
        return value if good else str(Path.home())

    @folder.setter
    def folder(self, value: str) -> None:
        if not shipped(value):
            self._write("folder", value)

    @property
    def verify_after_export(self) -> bool:
        """Whether an export is verified right away."""
        value = self._read("verify_after_export", True)
        return value if isinstance(value, bool) else True

    @verify_after_export.setter
    def verify_after_export(self, value: bool) -> None:
        self._write("verify_after_export", value)

    def bytes_of(self, name: str) -> QByteArray:
        """Saved geometry or splitter state; empty if there is none."""
        value = self._read(f"bytes/{name}", "")
        return QByteArray.fromHex(QByteArray(value.encode())) if isinstance(value, str) else QByteArray()

    def save_bytes(self, name: str, value: QByteArray) -> None:
        """Remember geometry or splitter state."""
        self._write(f"bytes/{name}", bytes(value.toHex().data()).decode())

    def word_of(self, name: str) -> str:
        """A saved word, such as how a panel was left; `""` if there is none."""
        value = self._read(f"words/{name}", "")
        return value if isinstance(value, str) else ""

    def save_word(self, name: str, value: str) -> None:
        """Remember a word."""
        self._write(f"words/{name}", value)

    def forget(self, names: str) -> None:
        """Forget what was saved as bytes or words under names that begin so."""
        for kind in ("bytes", "words"):
            for key in self._store.allKeys():
                if key.startswith(f"{kind}/{names}"):
                    self._store.remove(key)

    def sync(self) -> None:
        """Write what is pending."""
        self._store.sync()

    def _read(self, key: str, default: Any) -> Any:
        raw = self._store.value(key)
        if not isinstance(raw, str):
            return default
        try:
            return json.loads(raw)
        except ValueError:
            return default

    def _write(self, key: str, value: Any) -> None:
        self._store.setValue(key, json.dumps(value))


def shipped(path: str) -> bool:
    """Whether something lies among what comes with the program."""
    return Path(path).resolve().is_relative_to(RESOURCES)
