"""A short run of random use by a seed, as the benchmark of that name does it for half an hour."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gui.window import MainWindow
from tests.benchmarks import chains
from tests.benchmarks.random_person import Person
from tests.benchmarks.random_use import Troubles, Watch

ACTIONS = 40


@pytest.fixture
def person(real_window: MainWindow, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Somebody with the real window, a sample and a generated model."""
    monkeypatch.chdir(tmp_path)
    files = [samples / "digits_residual.keras", chains.conv_chain(tmp_path / "convolutions.keras", 20)]
    # nobody is killed: other tests use the same processes
    made = Person(real_window.windows, 5, files, tmp_path, {})
    yield made
    made.stop()


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_that_random_use_raises_nothing_and_never_gets_stuck(person: Person) -> None:
    troubles = Troubles()
    watch = Watch(person, troubles)
    deeds = [person.do("open_file")]
    watch.settle()
    for _ in range(ACTIONS):
        deeds.append(person.act())
        watch.settle()
    assert troubles.found == [], deeds
