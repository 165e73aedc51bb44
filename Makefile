# make site   builds the demo site into site/         make test       the tests (make test-full: every net on every target)
# make serve  serves it on localhost:8000             make clean      removes what these made
# Each target sets up what it needs in .venv; PYTHON chooses the interpreter (3.11 or newer).

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
BIN := .venv/bin
export NO_MKDOCS_2_WARNING := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: site serve test test-full clean

site: .venv/demos
	$(BIN)/mkdocs build --strict

serve: .venv/demos
	$(BIN)/mkdocs serve

# Of the reference's sums: threads of two test processes would wait for each other.
test test-full: export OPENBLAS_NUM_THREADS := 1

test: .venv/test
	$(BIN)/python tests/support/chromium.py
	$(BIN)/python tests/support/firefox.py
	$(BIN)/python tests/support/dawn.py
	$(BIN)/python tests/support/wgpu_runner.py
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -m "not full"

test-full: .venv/test
	$(BIN)/python tests/support/chromium.py
	$(BIN)/python tests/support/firefox.py
	$(BIN)/python tests/support/dawn.py
	$(BIN)/python tests/support/wgpu_runner.py
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "onnxpress needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

.venv/demos: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --editable ".[demos]"
	@touch $@

.venv/test: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --editable ".[demos,test]"
	@touch $@

clean:
	rm -rf .venv site .cache
