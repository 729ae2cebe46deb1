# Everything runs in .venv, which every target builds by itself from nothing.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.stamp
SETUP_DEMO := .venv/.stamp-demo
SETUP_BENCH := .venv/.stamp-bench
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: venv test lint format demo demo-digits bench bench-carry-over bench-full clean help

venv: $(SETUP)  ## build .venv with the pinned development tools

$(SETUP): pyproject.toml constraints.txt
	@echo "setting up .venv (once; a few minutes, most of it for torch)"
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[dev,parquet]'
	@touch $@

$(SETUP_DEMO): $(SETUP)
	@echo "adding the demo's sentence encoder to .venv (once)"
	$(INSTALL) --editable '.[demo]'
	@touch $@

$(SETUP_BENCH): $(SETUP)
	@echo "adding what the benchmark needs to .venv (once)"
	$(INSTALL) --editable '.[bench]'
	@touch $@

test: $(SETUP)  ## run the tests
	$(BIN)/pytest

lint: $(SETUP)  ## check style, formatting, types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SETUP)  ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(SETUP_DEMO)  ## compress the docstrings of the standard library and search them (6 minutes)
	$(BIN)/python examples/demo.py

demo-digits: $(SETUP)  ## the same table on scikit-learn's digits, without an encoder (30 seconds)
	$(BIN)/python examples/demo_digits.py

bench: $(SETUP_BENCH)  ## measure a short form of the benchmark on two sets (15 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/quality.py --short

bench-carry-over: $(SETUP_BENCH)  ## measure seven more sets, made from installed packages (40 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/quality.py --carry-over
	$(BIN)/python benchmarks/render.py

bench-full: $(SETUP_BENCH)  ## measure what is not on record yet, all of it (hours), then write docs/results.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/render.py

clean:  ## remove .venv, caches and everything built
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
