"""What every test may rely on: no display needed, nothing of the person's own settings touched, shared models."""

import functools
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# before anything imports Qt or TensorFlow, in this process or in those it starts
_private = tempfile.TemporaryDirectory(prefix="suture-tests-")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["SUTURE_STATE"] = str(Path(_private.name, "state"))
os.environ["XDG_CONFIG_HOME"] = str(Path(_private.name, "config"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
gc.set_threshold(50_000, 10, 10)
# workers that share the processors: more threads than that only wait for one another
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // _workers)))

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from tests.helpers import corpus as corpus_files  # noqa: E402
from tests.helpers import models  # noqa: E402

# a test says whether something is right; how long it takes depends on what else the machine does
hypothesis.settings.register_profile("suture", deadline=None)
hypothesis.settings.load_profile("suture")

TESTS = Path(__file__).parent
SAMPLES = TESTS.parent / "resources" / "samples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-messages", action="store_true", help="write resources/help/messages.md from the source")
    parser.addoption(
        "--update-classes", action="store_true", help="write resources/help/classes.md from a run of everything"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files whose tests take longest first, so that no worker is left alone with one at the end."""
    rooms = [TESTS / "integration", TESTS / "gui"]
    items.sort(key=lambda item: next((at for at, room in enumerate(rooms) if room in item.path.parents), len(rooms)))


def pytest_collection_finish() -> None:
    """Once everything is imported: let what stays be looked through no more, again and again."""
    if "keras" in sys.modules:
        from keras.src.saving import saving_lib

        # Keras keeps these sets under one name and looks under another, so it makes a layer for each object it saves
        saving_lib.get_attr_skipset = functools.cache(saving_lib.get_attr_skipset)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def corpus() -> Callable[[str], Path]:
    """`corpus("mlcommons-tiny/vww_96.h5")`: a file of the collection of public models; skips where there is none."""
    return corpus_files.path


@pytest.fixture(scope="session")
def zoo() -> Callable[..., Path]:
    """`zoo("MobileNetV2", input_shape=(96, 96, 3))`: a `keras.applications` model with seeded weights, as `.keras`."""
    return models.application


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of bundled sample models."""
    return SAMPLES


@pytest.fixture(scope="session", autouse=True)
def _remove_private_folder() -> Iterator[None]:
    yield
    _private.cleanup()
