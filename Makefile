# Two commands do everything on a fresh machine: `make run` and `make test`.

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SAMPLE := resources/samples/digits_residual.keras
TOUR := build/tour
ARGS ?=
# each worker holds a TensorFlow of its own, about 1 GB
WORKERS ?= 2
# by scope, so that what a module shares is made once, and in the order of tests/conftest.py, the long ones first;
# a worker that dies ends the run, which would wait for it otherwise
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder --max-worker-restart 0
# all of pyproject.toml that says what is installed: what comes before the settings of tools
WANTED = sed '/^\[tool\.pytest/,$$d' pyproject.toml; cat constraints.txt

# library:package pairs that Qt loads, then those of its X11 plugin
QT_LIBS := libEGL.so.1:libegl1 libGL.so.1:libgl1 libxkbcommon.so.0:libxkbcommon0 libfontconfig.so.1:libfontconfig1 \
	libdbus-1.so.3:libdbus-1-3 libglib-2.0.so.0:libglib2.0-0
QT_XCB := libxcb-cursor.so.0:libxcb-cursor0 libxcb-icccm.so.4:libxcb-icccm4 libxcb-keysyms.so.1:libxcb-keysyms1 \
	libxcb-image.so.0:libxcb-image0 libxcb-render-util.so.0:libxcb-render-util0 libxcb-xkb.so.1:libxcb-xkb1 \
	libxkbcommon-x11.so.0:libxkbcommon-x11-0 libX11-xcb.so.1:libx11-xcb1 libxcb-shape.so.0:libxcb-shape0

.PHONY: run test test-all bench random-use lint setup libs clean

run: setup
	@if [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		echo "There is no display here, so the tour runs offscreen instead; its pictures and the exported model go to $(TOUR)."; \
		$(BIN)/python main.py tour $(TOUR); \
	else $(BIN)/python main.py $(SAMPLE); fi

test: setup
	$(PYTEST) -m "not slow" $(ARGS)

test-all: setup
	$(PYTEST) $(ARGS)

bench: setup
	$(BIN)/python -m tests.benchmarks.bench $(ARGS)

# the window used at random: ARGS="--actions 600 --seed 3"
random-use: setup
	$(BIN)/python -m tests.benchmarks.random_use $(ARGS)

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

setup: libs $(READY)

# Qt's system libraries, on Debian and its children only; skipped when they are there
libs:
	@if command -v apt-get >/dev/null 2>&1; then \
		known=$$(PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null); need=""; pairs="$(QT_LIBS)"; \
		if [ -n "$$DISPLAY" ]; then pairs="$$pairs $(QT_XCB)"; fi; \
		for pair in $$pairs; do case "$$known" in *"$${pair%%:*}"*) ;; *) need="$$need $${pair#*:}" ;; esac; done; \
		if [ -n "$$need" ]; then \
			echo "Installing the system libraries that Qt needs:$$need"; \
			if [ "$$(id -u)" = 0 ]; then sudo=""; elif command -v sudo >/dev/null 2>&1; then sudo=sudo; \
			else echo "Neither root nor sudo here: please have an administrator run 'apt-get install$$need'." >&2; exit 1; fi; \
			$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$need; \
		fi; \
	fi

# a virtual environment with everything pinned; made anew when what is to be installed changes, not with every setting
$(READY): pyproject.toml constraints.txt
	@if [ -x $(BIN)/python ] && ($(WANTED)) | cmp -s - $(READY); then touch $(READY); exit 0; fi; \
	rm -f $(READY); python=""; \
	for candidate in "$(PYTHON)" python3.13 python3.12 python3.11 python3 python; do \
		if [ -n "$$candidate" ] && "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; \
		then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "No Python from 3.11 to 3.13 with venv was found (Debian and Ubuntu: apt-get install python3-venv); name one with 'make PYTHON=/path/to/python ...'." >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$("$$python" --version) and the versions in constraints.txt"; \
	"$$python" -m venv --clear $(VENV) && \
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test,onnx,litert]" && \
	($(WANTED)) > $(READY)

clean:
	rm -rf build dist .mypy_cache .ruff_cache .hypothesis *.egg-info
