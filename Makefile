# `make help` lists what there is. A fresh machine needs git, make and Python >= 3.11, no more.

# The first Python that is new enough and really runs: a version manager's shim may exist and fail.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c '$(USABLE)' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
export MPLBACKEND := Agg
# Empty is off: pytest compiles the tests anew in every process where it may not write what it has compiled.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types imports suite test-nojit test-bounds coverage fuzz docs bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s%s\n", $$1, $$2 }' Makefile

# --- the environment ------------------------------------------------------------------------------

$(BIN)/python:
	@"$(PYTHON)" -c '$(USABLE)' >/dev/null 2>&1 || { \
		echo "No usable Python found. scikit-ebm needs Python 3.11 or newer with the modules venv" >&2; \
		echo "and ensurepip (Debian, Ubuntu: apt install python3-venv). If it is not on the PATH," >&2; \
		echo "name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# One stamp for each set of extras, so that the demo need not wait for the test tools.
$(VENV)/installed: pyproject.toml setup.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-%: pyproject.toml setup.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

setup: $(VENV)/installed-dev  ## .venv with every tool of a contributor, and the pre-commit hook
	$(BIN)/pre-commit install

# --- what the library does ------------------------------------------------------------------------

demo: $(VENV)/installed  ## fit an RBM to handwritten digits and say what it learned
	$(BIN)/python examples/plot_rbm_digits.py

docs: $(VENV)/installed-docs  ## the documentation, into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/installed-bench  ## speed beside the peers and the floor, ratios printed
	$(BIN)/python benchmarks/rbm_throughput.py

# --- is it right? ---------------------------------------------------------------------------------

# As many processes as there are cores: `make test PROCESSES=1` leaves the machine free for other work.
PROCESSES ?= auto
PYTEST := $(BIN)/python -m pytest --numprocesses=$(PROCESSES) --maxprocesses=8 --dist=worksteal
CHECKS := lint types imports suite test-nojit
LOGS := .checks

# One after the other, each to its end, so that one run names all that fails.
test: $(VENV)/installed-test  ## every check there is, and which of them failed: about 15 minutes
	@echo "Checks: $(CHECKS). About 15 minutes on two cores; the last lines say which of them failed."
	@rm -rf $(LOGS) && mkdir $(LOGS)
	@for check in $(CHECKS); do \
		echo "--- $$check"; \
		{ $(MAKE) --no-print-directory $$check 2>&1; echo $$? > $(LOGS)/$$check.status; } | tee $(LOGS)/$$check.log; \
	done
	@echo "--- summary"
	@grep -hE '^(FAILED|ERROR) ' $(LOGS)/*.log || true
	@failed=0; for check in $(CHECKS); do \
		if grep -qx 0 $(LOGS)/$$check.status; then verdict=ok; else verdict=FAILED; failed=1; fi; \
		printf '%-12s %s\n' $$check $$verdict; \
	done; exit $$failed

lint: $(VENV)/installed-test  ## ruff and codespell
	@failed=0; for command in "ruff check" "ruff format --check" codespell; do \
		echo $$command; $(BIN)/$$command || failed=1; \
	done; exit $$failed

types: $(VENV)/installed-test  ## mypy
	$(BIN)/mypy

imports: $(VENV)/installed-test  ## import-linter
	$(BIN)/lint-imports --no-logo

suite: $(VENV)/installed-test  ## pytest: all tests and doctests
	$(PYTEST)

# Plain Python checks every array index by itself; nearly every line of the kernels runs here (see `make coverage`).
test-nojit: $(VENV)/installed-test  ## pytest: the core without the compiler, every array index checked
	NUMBA_DISABLE_JIT=1 $(PYTEST) -q -p no:cacheprovider tests/core -m "not needs_jit and not once"

# The lines of the kernels show without the compiler, those of the estimators in the usual run. The tracer takes long.
coverage: $(VENV)/installed-test  ## which lines the tests reach; fails below the threshold in pyproject.toml
	$(BIN)/coverage erase
	NUMBA_DISABLE_JIT=1 $(PYTEST) -q tests/core -m "not needs_jit and not once" --cov --cov-report=
	$(PYTEST) -q tests/core tests/conformance tests/estimators -m "not once" --cov --cov-append --cov-report=term

# For those who change kernels: what takes too long as plain Python, compiled with checks of every array index.
# tests/conftest.py gives this run a compiler cache of its own: Numba would otherwise take the unchecked code.
test-bounds: $(VENV)/installed-test  ## pytest: the long tests of the core, compiled with checked indices
	NUMBA_BOUNDSCHECK=1 $(PYTEST) -q -p no:cacheprovider tests/core -m "needs_jit and not once"

# CALLS, SEED and OUT say how many, which, and where the outcomes go; a run that was cut off goes on where it was.
CALLS ?= 90000
SEED ?= 0
OUT ?= .fuzz

fuzz: $(VENV)/installed-test  ## generated calls with odd and bad values, and a table of what came of them
	$(BIN)/python -m tests.fuzz --calls $(CALLS) --seed $(SEED) --out $(OUT)

clean:  ## remove .venv, caches and everything that was built
	rm -rf $(VENV) build dist htmlcov .coverage* .checks .fuzz .numba_cache .mypy_cache .ruff_cache .pytest_cache
	rm -rf .import_linter_cache .hypothesis *.egg-info docs/_build docs/auto_examples docs/generated
	rm -rf docs/sg_execution_times.rst figures
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
