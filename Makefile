# Every target works on a fresh machine: it makes the virtual environment first if need be.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run smoke test check generate bench clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
export PYTHONPATH := $(CURDIR)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(INSTALLED) ## start everything on this machine, until Ctrl-C
	@echo "== starting Throughline"
	@$(BIN)/throughline up

smoke: $(INSTALLED) ## start everything, send a few messages through, stop
	@echo "== sending messages through a whole Throughline"
	@$(BIN)/throughline up --smoke

test: $(INSTALLED) ## run the whole test suite on a real Kafka and MongoDB
	@echo "== running all tests"
	@$(BIN)/python -m pytest -p no:cacheprovider --durations=10

check: $(INSTALLED) ## check formatting, style, types, boundaries and generated files
	@echo "== checking the formatting"
	@$(BIN)/ruff format --check .
	@echo "== checking the style"
	@$(BIN)/ruff check .
	@echo "== checking the types"
	@$(BIN)/mypy
	@echo "== checking who imports whom"
	@$(BIN)/lint-imports
	@echo "== checking that generated files are up to date"
	@$(BIN)/python -m deploy.generate --check

generate: $(INSTALLED) ## write the files that are generated from the catalogues
	@echo "== generating files"
	@$(BIN)/python -m deploy.generate

bench: $(INSTALLED) ## measure throughput and latency
	@echo "== running the benchmarks"
	@$(BIN)/python -m tests.benchmarks

clean: ## remove the virtual environment and everything tools left behind
	@echo "== removing the virtual environment and what tools left behind"
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml
	@echo "== installing the locked dependencies into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
