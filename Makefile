# Every target makes the environment, .venv, from requirements.lock. `make` lists them.

PYTHON ?= python3
DENSIGHT_DATA ?= ../shared/data
export DENSIGHT_DATA
BIN := .venv/bin

.PHONY: help demo check test coverage bench lint notebooks docs dist try lock clean

help:  # this list
	@sed -n 's/^\([a-z]*\):.*  # /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: .venv/ready  # the whole job on phantom exams, into demo/
	$(BIN)/densight demo -o demo

check: lint  # for every day, in minutes: lint, examples in docstrings, unit tests, the command line in process
	$(BIN)/pytest -n 2 --dist worksteal src tools tests/unit tests/command

test: lint  # every check: lint and all tests, those of subprocesses, a PACS, the documentation and benchmarks too
	$(BIN)/pytest -n 2 --dist worksteal

coverage: .venv/ready  # the tests, and which lines they run
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term

bench: .venv/ready  # densight beside other programs, into benchmarks/RESULTS.md; their environments in build/bench
	$(BIN)/python benchmarks/speed/bench.py

lint: .venv/ready  # format, lint, types, import directions, words
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/check_words.py identifiers
	$(BIN)/python tools/check_words.py text

notebooks: .venv/ready  # the notebooks run anew from their sources, with what they print
	$(BIN)/python docs/_ext/execute.py

docs: .venv/ready  # the documentation, strictly, into build/site
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

dist: .venv/ready  # wheel and source archive, checked, into dist/
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/twine check --strict dist/*
	@du -h dist/*

try: dist  # the wheel in an empty environment without a network
	benchmarks/try_wheel.sh

# The environment is made anew when the lock or the package's own metadata change. Python compiles what it imports; pip
# would compile all of every package first, which takes as long as installing it.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'densight needs Python 3.11 or newer: make PYTHON=python3.12 …'; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Resolves the newest versions that pyproject.toml allows; torch stays at the release that is tested.
lock: .venv/ready  # requirements.lock anew
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--no-annotate --no-header --extra dicom --extra onnx --extra openvino --extra tensorboard --extra docs --extra dev --constraint constraints.txt \
		--output-file requirements.lock pyproject.toml
	sed -i 's/^\(torch==[0-9.]*\)+cpu$$/\1/' requirements.lock

clean:  # away with all that was made
	rm -rf .venv demo build dist docs/reference .mypy_cache .ruff_cache .pytest_cache .hypothesis
