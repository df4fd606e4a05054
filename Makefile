# Every target sets up what it needs in .venv, from nothing but Python and a package index.
.PHONY: robustness test check bench clean
.DEFAULT_GOAL := robustness

PYTHON ?= python3
BIN := .venv/bin

robustness: .venv/installed  ## the main job: the quick robustness study, then where its report is
	$(BIN)/python -m sweeps.launch robustness

test: .venv/installed-dev  ## the test suite, one process per core with one thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed-dev  ## speed and memory, measured; results go to tests/benchmarks/results
	$(BIN)/python -m tests.benchmarks.quick_sweep
	$(BIN)/python -m tests.benchmarks.bootstrap
	$(BIN)/python -m tests.benchmarks.diagnosis_cost

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,inception,postgresql]'
	touch $@

clean:  ## remove the environment and caches; results in runs/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
