"""Which files the person trusts: by content, revocable, and nothing by default."""

from pathlib import Path

import pytest

from core import trust_store
from core.errors import FileError


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTURE_STATE", str(tmp_path / "state"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.keras"
    path.write_bytes(b"some model")
    return path


def test_that_nothing_is_trusted_until_somebody_says_so(model: Path) -> None:
    assert not trust_store.is_trusted(model)
    assert trust_store.entries() == ()


def test_that_trust_goes_with_the_content_and_not_with_the_name(model: Path, tmp_path: Path) -> None:
    entry = trust_store.trust(model)
    copy = tmp_path / "copy.keras"
    copy.write_bytes(model.read_bytes())
    assert trust_store.is_trusted(model)
    assert trust_store.is_trusted(copy)
    assert trust_store.entries() == (entry,)
    model.write_bytes(b"some modeL")
    assert not trust_store.is_trusted(model)


def test_that_trusting_twice_is_one_entry(model: Path) -> None:
    trust_store.trust(model)
    trust_store.trust(model)
    assert len(trust_store.entries()) == 1


@pytest.mark.parametrize("how", ["path", "digest", "after it changed", "after it went"])
def test_that_trust_is_revoked(how: str, model: Path) -> None:
    entry = trust_store.trust(model)
    data = model.read_bytes()
    if how == "after it changed":
        model.write_bytes(b"other")
    elif how == "after it went":
        model.unlink()
    assert trust_store.revoke(entry.digest if how == "digest" else model)
    model.write_bytes(data)
    assert not trust_store.is_trusted(model)
    assert not trust_store.revoke(model)


def test_that_a_folder_is_trusted_with_everything_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    trust_store.trust(folder)
    assert trust_store.is_trusted(folder)
    (folder / "variables" / "variables.index").write_bytes(b"")
    assert not trust_store.is_trusted(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"trusted": [{}]}', '{"trusted": 3}', "\xff", "[" * 100_000])
def test_that_a_broken_store_trusts_nothing_and_can_be_written_again(text: str, model: Path, tmp_path: Path) -> None:
    trust_store.trust(model)
    store = tmp_path / "state" / trust_store.NAME
    store.write_text(text, encoding="latin-1")
    assert not trust_store.is_trusted(model)
    trust_store.trust(model)
    assert trust_store.is_trusted(model)
    assert [path.name for path in store.parent.iterdir()] == [trust_store.NAME]


def test_that_a_file_which_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        trust_store.trust(tmp_path / "nowhere.keras")
