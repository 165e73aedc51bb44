# make site   builds the demo site into site/     make quick      tests without a browser, at each save
# make serve  serves it on localhost:8000         make test       these and the main tests in Chromium
# make lint   checks style and types              make test-full  all tests: every engine, large nets
# make fuzz   spoils files, for SECONDS           make constraints  writes the tested versions
# make clean  removes what these made             make conformance  runs ONNX's own node tests
# Each target sets up what it needs in .venv. PYTHON chooses the interpreter (3.11 or newer), JOBS the
# number of test processes, PYTEST_ARGS adds to pytest's arguments.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
BIN := .venv/bin
JOBS ?= auto
PYTEST_ARGS ?=
PYTEST = $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)
INSTALL = PYTHONPATH=tests $(BIN)/python -m support.install
export NO_MKDOCS_2_WARNING := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE # every child process would compile the package again

.PHONY: site serve lint quick test test-rest test-full fuzz constraints conformance clean

site: .venv/demos
	$(BIN)/mkdocs build --strict

serve: .venv/demos
	$(BIN)/mkdocs serve

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python tests/support/tsc.py

# NumPy's threads in two test processes would wait for each other.
quick test test-rest test-full fuzz: export OPENBLAS_NUM_THREADS := 1

quick: .venv/test
	$(PYTEST) -m quick

test: .venv/test
	$(INSTALL) chromium
	$(PYTEST) -m "quick or test"

# What make test leaves out, but for the largest nets.
test-rest: .venv/test
	$(INSTALL) chromium firefox dawn lavapipe
	$(PYTEST) -m "full and not large"

# Runs ONNX's node tests on every target anew: the table and the page of the site.
conformance: .venv/test
	$(INSTALL) chromium
	PYTHONPATH=tests $(BIN)/python -m conformance

test-full: .venv/test
	$(INSTALL) chromium firefox dawn lavapipe
	$(PYTEST)

# A fault prints the command that repeats it: make fuzz ONLY=models SEED=1 NUMBER=31.
SECONDS ?= 60
SEED ?= 1
fuzz: .venv/test
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(SECONDS) --seed $(SEED) \
		$(if $(ONLY),--only $(ONLY)) $(if $(NUMBER),--number $(NUMBER) --count 1)

# After the tests: the versions that they ran with.
constraints: .venv/test
	PYTHONPATH=tests $(BIN)/python -m support.constraints

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "onnxpress needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

.venv/demos: EXTRAS := demos
.venv/lint: EXTRAS := lint
.venv/test: EXTRAS := demos,test
.venv/demos .venv/lint .venv/test: .venv/bin/pip pyproject.toml
	$(BIN)/pip install --quiet --editable ".[$(EXTRAS)]"
	@touch $@

clean:
	rm -rf .venv site .cache
