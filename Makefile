# Every target sets up what it needs in .venv, from nothing but Python and a package index.
.PHONY: robustness test check api gallery bench bench-smoke clean
.DEFAULT_GOAL := robustness

PYTHON ?= python3
PIP_FLAGS ?=
BIN := .venv/bin

robustness: .venv/installed  ## the main job: the quick robustness study, then where its report is
	$(BIN)/python -m sweeps.launch robustness

test: .venv/installed-dev  ## the test suite, one process per core with one thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope

check: .venv/installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

api: .venv/installed-dev  ## the reference of all modules, from their docstrings
	$(BIN)/python -m pdoc --docformat numpy --no-show-source --output-directory build/api \
	    sngan sweeps dashboards '!sweeps.store.migrations' '!dashboards.app.main'
	@echo "build/api/index.html"

# Studies that together show every figure, with as many seeds as their bands need.
gallery: .venv/installed  ## the pictures of dashboards/gallery, from quick studies; half an hour on two cores
	$(BIN)/python -m sweeps.launch robustness --out runs/gallery --seeds 3
	for study in spectra scale n-dis; do $(BIN)/python -m sweeps.launch $$study --out runs/gallery --seeds 2 || exit; done
	for study in landscape tuning; do $(BIN)/python -m sweeps.launch $$study --out runs/gallery || exit; done
	$(BIN)/python -m dashboards.gallery --out runs/gallery

# Every script of tests/benchmarks that can be run; `make bench-NAME` runs one, `make -k bench` goes on behind one that
# lacks its data (SNGAN_TEST_CIFAR10, SNGAN_TEST_INCEPTION).
BENCHMARKS := $(filter-out tables,$(notdir $(basename $(shell grep -l '^if __name__' tests/benchmarks/*.py))))
MEASURED := $(filter-out $(if $(shell command -v nvidia-smi),,gpu_training),$(BENCHMARKS))
.PHONY: $(BENCHMARKS:%=bench-%) $(BENCHMARKS:%=smoke-%)
.NOTPARALLEL: bench bench-smoke
OPTIONS_fid_end_to_end := --images 1000
PEERS := torch-mimicry==0.1.16 pytorch-image-generation-metrics==0.6.1

bench: $(MEASURED:%=bench-%)  ## speed and memory, measured, against peers; hours; results go to tests/benchmarks/results
	$(BIN)/python -m tests.benchmarks.tables

bench-smoke: $(BENCHMARKS:%=smoke-%)  ## every benchmark at its smallest size, in minutes; nothing is kept

$(BENCHMARKS:%=bench-%): bench-%: .bench-peers/installed
	$(BIN)/python -m tests.benchmarks.$* $(OPTIONS_$*)

$(BENCHMARKS:%=smoke-%): smoke-%: .bench-peers/installed
	$(BIN)/python -m tests.benchmarks.$* --smoke

# Without what they depend on, which is here or, as TensorFlow, not needed for the parts that are compared.
.bench-peers/installed: .venv/installed-dev Makefile
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --no-deps --upgrade --target .bench-peers $(PEERS)
	touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing into .venv: PyTorch alone is some GB, which takes minutes ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --constraint constraints.txt --editable .
	@touch $@
	@echo "Installed."

.venv/installed-dev: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing into .venv: PyTorch alone is some GB, which takes minutes ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --constraint constraints.txt --editable '.[dev,inception,onnx,optuna-dashboard,postgresql,ray-jobs]'
	@touch .venv/installed $@
	@echo "Installed."

clean:  ## remove the environment and caches; results in runs/ stay
	rm -rf .venv .bench-peers build .mypy_cache .ruff_cache .pytest_cache *.egg-info
