# Bare `make` lists the targets. Each works from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast chaos chaos-full soak check format types docs snapshot shape bench profile clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Headrace needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Name another one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[demo]'
	@touch $@

$(VENV)/.dev: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@ $(VENV)/.demo

setup: $(VENV)/.dev ## Make .venv and install Headrace with everything a developer needs

demo: $(VENV)/.demo ## See real reviews flow through a real Kafka and a real transformer
	$(BIN)/headrace demo

# Files of tests side by side, each process with a Kafka of its own; in their order, so that the long ones come early.
BESIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.dev ## Run the whole suite on its own Kafka
	$(BIN)/python -m pytest $(BESIDE)

test-fast: $(VENV)/.dev ## Run the tests that need no broker
	$(BIN)/python -m pytest $(BESIDE) -m 'not broker'

chaos: $(VENV)/.dev ## Let 25 faults strike pipelines under load and judge what is left; SEED=n for others
	$(BIN)/python -m tests.chaos --set usual $(if $(SEED),--seed $(SEED))

chaos-full: $(VENV)/.dev ## The same with 100 faults for each of 3 seeds and each guarantee; takes hours and root
	$(BIN)/python -m tests.chaos --set full

soak: $(VENV)/.dev ## Run a pipeline for an hour at half of what it can take, and see whether it stays as it was; MINUTES=n for less
	$(BIN)/python -m tests.soak --keep $(if $(MINUTES),--minutes $(MINUTES))

types: ## Make the tree that type checkers read: .typing/headrace -> the mapped folders
	@mkdir -p .typing/headrace
	@for f in core/api/*; do ln -sfn ../../$$f .typing/headrace/$$(basename $$f); done
	@for d in core plugins streams; do ln -sfn ../../$$d .typing/headrace/$$d; done

check: $(VENV)/.dev types ## Lint, types, import rules, docs, packaging, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy docs/generator examples/plugin/headrace_example
	$(BIN)/mypy --explicit-package-bases tests benchmarks
	PYTHONPATH=.typing $(BIN)/lint-imports --config setup.cfg  # an editable install hides the folders from it
	$(BIN)/python docs/generator --check
	$(BIN)/python -m pytest -q tests/packaging/test_packages.py tests/api tests/docs/test_coverage.py
	KAFKA=localhost:9092 $(BIN)/headrace check $(filter-out examples/reviews.yaml examples/hybrid.yaml examples/digits.yaml,$(wildcard examples/*.yaml))  # those need a model
	$(BIN)/python -m pip check

format: $(VENV)/.dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## Make the generated parts of README and docs anew
	$(BIN)/python docs/generator

snapshot: $(VENV)/.dev ## Write down the public interface anew, after its change was reviewed
	$(BIN)/python -m tests.api.snapshot

shape: $(VENV)/.dev ## Print the measures of the code beside what it aims at
	$(BIN)/python -m tests.shape

bench: $(VENV)/.dev ## Measure speed, print the tables, keep them in docs/benchmarks.md; takes an hour, and Java with Maven
	$(BIN)/python -m benchmarks --keep

profile: $(VENV)/.dev ## See where the time of some pipelines goes, with flame graphs; kept in docs/benchmarks.md
	$(BIN)/python -m benchmarks profile --keep

clean: ## Remove the virtual environment, caches and local state; stop the embedded Kafka
	-@test ! -x $(BIN)/headrace || $(BIN)/headrace broker stop
	rm -rf $(VENV) .typing .headrace build dist *.egg-info
