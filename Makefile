# Bare `make` lists the targets. Each works from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast check format types bench docs shape clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

$(VENV)/.demo: setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[demo]'
	@touch $@

$(VENV)/.dev: setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@ $(VENV)/.demo

setup: $(VENV)/.dev ## Make .venv and install Headrace with everything a developer needs

demo: $(VENV)/.demo ## See real reviews flow through a real Kafka and a real transformer
	$(BIN)/headrace demo

test: $(VENV)/.dev ## Run the whole suite on its own Kafka
	$(BIN)/python -m pytest

test-fast: $(VENV)/.dev ## Run the tests that need no broker
	$(BIN)/python -m pytest -m 'not broker'

types: ## Make the tree that type checkers read: .typing/headrace -> the mapped folders
	@mkdir -p .typing/headrace
	@for f in core/api/*; do ln -sfn ../../$$f .typing/headrace/$$(basename $$f); done
	@for d in core plugins streams; do ln -sfn ../../$$d .typing/headrace/$$d; done

check: $(VENV)/.dev types ## Lint, types, import rules, packaging, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/python -m pip check

format: $(VENV)/.dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the virtual environment, caches and local state
	rm -rf $(VENV) .typing .headrace build dist *.egg-info
