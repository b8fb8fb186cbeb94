PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-once test lint schema benchmark clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(INSTALLED) ## Make .venv and install the project with what it needs

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup ## Offline: generated market, backtest, report, then paper trading until Ctrl-C
	$(BIN)/scalp demo

demo-once: setup ## The same, ends after the first signal and its paper trade
	$(BIN)/scalp demo --once

test: setup lint ## Everything CI runs: linters, types, import rules, schema, tests
	$(BIN)/pytest -n 3 --dist loadfile

lint: setup ## Linters, types, import rules, schema drift
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/scalp schema --check

schema: setup ## Write config/scalp.schema.json anew
	$(BIN)/scalp schema

benchmark: setup ## Speed, as ratios in one run
	$(BIN)/pytest tests/benchmarks -o addopts= -q

clean: ## Remove .venv and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
