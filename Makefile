# Every target works on a fresh machine: it makes the virtual environment first if need be.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run smoke test check generate bench clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
PARSER := tests/contract/asyncapi
export PYTHONPATH := $(CURDIR)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(INSTALLED) ## start everything on this machine, until Ctrl-C
	@echo "== starting Throughline"
	@$(BIN)/throughline up

smoke: $(INSTALLED) ## start everything, send a few messages through, stop
	@echo "== sending messages through a whole Throughline"
	@$(BIN)/throughline up --smoke

test: $(INSTALLED) $(PARSER)/node_modules/.installed ## run the whole test suite on a real Kafka and MongoDB
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
	@echo "== checking that no released contract is broken"
	@$(BIN)/python -m deploy.compatibility

generate: $(INSTALLED) ## write the files that are generated from the catalogues
	@echo "== generating files"
	@$(BIN)/python -m deploy.generate

bench: $(INSTALLED) ## measure throughput and latency
	@echo "== running the benchmarks"
	@$(BIN)/python -m tests.benchmarks

clean: ## remove the virtual environment and everything tools left behind
	@echo "== removing the virtual environment and what tools left behind"
	@rm -rf $(PARSER)/node_modules
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The official AsyncAPI parser. Without Node.js the tests say so: they skip it here and fail in CI.
$(PARSER)/node_modules/.installed: $(PARSER)/package.json $(PARSER)/package-lock.json
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; then \
		echo "== installing the locked AsyncAPI parser" && \
		cd $(PARSER) && npm ci --silent --ignore-scripts --no-audit --no-fund && \
		touch node_modules/.installed; \
	fi

$(INSTALLED): requirements.lock pyproject.toml
	@echo "== installing the locked dependencies into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
