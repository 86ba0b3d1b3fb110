# make demo   trains, tests and uses a model on streets that the project draws itself
# make test   passes the tests
# PYTHON=python3.12 make demo   chooses the interpreter (Python 3.10 to 3.13)

PYTHON ?= python3
BIN := .venv/bin
# one thread in each process: PyTorch's threads would wait for each other's CPUs;
# bytecode is kept: hundreds of processes would compile the package again;
# a test that ends its process ends the run: pytest-xdist 3.8 would wait for ever for a process that it has replaced
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

# the modules that users import; the list of pages of the API reference
API := semseg.inference.segmenter semseg.inference.segmentation semseg.errors semseg.labels \
  semseg.config.read semseg.datasets.dataset_file semseg.training.features semseg.training.options semseg.training.run \
  semseg.evaluation.features semseg.evaluation.results

.PHONY: help install demo test test-quick check docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

install: .venv/installed  ## set up .venv with the project and what it needs

demo: .venv/installed  ## the whole line: draw, convert, train, test, infer (minutes on two cores)
	$(BIN)/python tools/demo.py

test: .venv/installed-test  ## run all tests, in several processes
	$(PYTEST) -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

test-quick: .venv/installed-test  ## run the tests that take no second each
	$(PYTEST) -n auto --maxprocesses 4 -m "not slow"

check: .venv/installed-test  ## check style, formatting, types, syntax on other Pythons, and the pinned versions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	.ci/syntax
	$(PYTEST) tests/test_constraints.py -q

docs: .venv/installed-docs  ## write the API reference into docs/api, from the docstrings
	$(BIN)/python -m pdoc --docformat google --no-show-source --output-directory docs/api $(API)

clean:  ## remove .venv; data, work_dirs and outputs stay
	rm -rf .venv

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is not Python 3.10 to 3.13; choose one that is: PYTHON=python3.12 make $(MAKECMDGOALS)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@# MMCV brings the OpenCV that opens windows; where its libGL is missing, the one without windows replaces it
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps opencv-python-headless
	@touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@
