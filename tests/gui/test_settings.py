"""Settings come back as they were; what makes no sense counts as absent."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from gui.document.settings import Settings


def test_that_settings_come_back_with_their_types(tmp_path: Path) -> None:
    file = tmp_path / "settings.ini"
    known = tmp_path / "model.keras"
    known.touch()
    first = Settings(file)
    first.theme = "dark"
    first.verify_after_export = False
    first.add_recent(str(known))
    first.add_recent(str(tmp_path / "gone.keras"))
    first.save_bytes("geometry", QByteArray(b"\x00\xff\x01"))
    first.sync()
    again = Settings(file)
    assert again.theme == "dark"
    assert again.verify_after_export is False
    assert again.recent == [str(known)]
    assert bytes(again.bytes_of("geometry").data()) == b"\x00\xff\x01"


def test_that_settings_that_make_no_sense_count_as_absent(tmp_path: Path) -> None:
    file = tmp_path / "settings.ini"
    raw = QSettings(str(file), QSettings.Format.IniFormat)
    for key in ("theme", "recent", "verify_after_export", "bytes/geometry", "folder"):
        raw.setValue(key, "{not json")
    raw.sync()
    settings = Settings(file)
    assert settings.theme == "auto"
    assert settings.recent == []
    assert settings.verify_after_export is True
    assert settings.bytes_of("geometry").isEmpty()
    assert Path(settings.folder).is_dir()
