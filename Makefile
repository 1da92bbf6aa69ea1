# Everything happens in .venv, made on demand. Another Python: make PYTHON=python3.12 test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A stamp says which extra is installed; it is out of date when pyproject.toml is newer.
DEV := $(VENV)/installed-dev
DEMO := $(VENV)/installed-demo
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := $(wildcard src tests examples benchmarks)

.DEFAULT_GOAL := help
.PHONY: help demo test lint typecheck bench clean

help: ## list what make can do
	@echo 'make demo        texts, pictures, sounds and films found by one another (no key needed)'
	@echo '                 your own files: make demo MEDIA=some/folder QUERY="what you look for"'
	@echo 'make test        all tests'
	@echo 'make lint        ruff: rules and format'
	@echo 'make typecheck   mypy, strict'
	@echo 'make bench       how fast it is'
	@echo 'make clean       remove .venv, caches and what demo and bench have made'

# What `make test` installs holds all that the demo needs.
demo: $(if $(wildcard $(DEV)),$(DEV),$(DEMO))
	@MEDIA="$${MEDIA-}" QUERY="$${QUERY-}"; \
	set --; \
	if [ -n "$$MEDIA" ]; then set -- "$$@" "--media=$$MEDIA"; fi; \
	if [ -n "$$QUERY" ]; then set -- "$$@" "--query=$$QUERY"; fi; \
	$(BIN)/python examples/demo.py "$$@"

test: $(DEV)
	$(BIN)/python -m pytest

lint: $(DEV)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

# examples/demo.py only calls the package examples/demo, whose name it shares: mypy takes one of them.
typecheck: $(DEV)
	$(BIN)/mypy
	MYPYPATH=examples $(BIN)/mypy -p demo -m sample_media -m langchain_quickstart -m llama_index_quickstart

bench: $(DEV)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache examples/media examples/output
	rm -f benchmarks/results/*.json
	find src tests examples $(wildcard benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || \
	  { echo "No $(PYTHON) here. Python 3.10 or newer is needed; name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; $(PYTHON) is `"$(PYTHON)" -V 2>&1`. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with `"$(PYTHON)" -V 2>&1` …"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(DEMO): pyproject.toml | $(BIN)/python
	@echo "Installing the package and what the demo needs into $(VENV) (a minute or two the first time) …"
	@$(PIP) install -e '.[demo]'
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing the package and what its development needs into $(VENV) (some minutes the first time) …"
	@$(PIP) install -e '.[dev]'
	@touch $@
