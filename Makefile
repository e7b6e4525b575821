# make demo   the whole job on phantom exams, into demo/
# make test   every check: format, lint, types, import directions, tests with coverage
# make bench  densight beside other programs, into benchmarks/RESULTS.md; makes environments for them in build/bench
# All make their environment, .venv, from requirements.lock.

PYTHON ?= python3
DENSIGHT_DATA ?= ../shared/data
export DENSIGHT_DATA
BIN := .venv/bin

.PHONY: demo test bench lint lock clean

demo: .venv/ready
	$(BIN)/densight demo -o demo

test: lint
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term

bench: .venv/ready
	$(BIN)/python benchmarks/speed/bench.py

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The environment is made anew when the lock or the package's own metadata change.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'densight needs Python 3.11 or newer: make PYTHON=python3.12 …'; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Resolves the newest versions that pyproject.toml allows; torch stays at the release that is tested.
lock: .venv/ready
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--no-annotate --no-header --extra dicom --extra onnx --extra openvino --extra tensorboard --extra dev --constraint constraints.txt \
		--output-file requirements.lock pyproject.toml
	sed -i 's/^\(torch==[0-9.]*\)+cpu$$/\1/' requirements.lock

clean:
	rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
