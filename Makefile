# Everything happens in a virtual environment, made on demand: .venv, or what VENV names.
# Another Python: make PYTHON=python3.12 test
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A stamp says which extra is installed; it is out of date when pyproject.toml is newer.
DEV := $(VENV)/installed-dev
DEMO := $(VENV)/installed-demo
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := src tests examples benchmarks distributions
# The site's builder has an environment of its own.
DOCS := .venv-docs
# The lowest version of each package that pyproject.toml allows.
LOWEST := .venv-lowest
# Clients of others, which need environments of their own; CLIENT is what is installed there.
CLIENTS := .venv-clients
PYTHON_CLIENTS := $(CLIENTS)/sdk-0.4/installed $(CLIENTS)/haystack/installed
CLIENT_STAMPS := $(PYTHON_CLIENTS) $(CLIENTS)/javascript/installed
$(CLIENTS)/sdk-0.4/installed: CLIENT = twelvelabs==0.4.10
$(CLIENTS)/haystack/installed: CLIENT = twelvelabs-haystack==2.0.0
$(CLIENTS)/javascript/installed: CLIENT = twelvelabs-js@1.3.4

.DEFAULT_GOAL := help
.PHONY: help demo test lint typecheck check format coverage lowest mutations chaos bench clients live docs docs-serve dist dist-check clean

help: ## list what make can do
	@echo 'make demo        text, images, audio and video found by one another (no key needed)'
	@echo '                 your own files: make demo MEDIA=some/folder QUERY="what you look for"'
	@echo 'make test        all tests; some of them: make test TESTS="tests/core -x"'
	@echo 'make check       everything a change must pass: format, lint, types, tests'
	@echo 'make format      rewrite the code in the standard format'
	@echo 'make lint        ruff: rules and format'
	@echo 'make typecheck   mypy, strict'
	@echo 'make coverage    all tests, with line and branch coverage'
	@echo 'make lowest      unit tests with the lowest version of each package that pyproject.toml allows'
	@echo 'make mutations   change 60 random places of the core, and see whether a unit test fails'
	@echo 'make chaos       every way to fail, the long form (an hour or two); some of it: make chaos CHAOS="--only mix-* --scale 0.1"'
	@echo 'make bench       how fast it is'
	@echo 'make live        what the real service does where its documentation is silent (needs TWELVELABS_API_KEY, is charged, asks first)'
	@echo 'make clients     old and other clients against the emulator, in environments of their own'
	@echo 'make docs        these pages as a site, into build/site; make docs-serve shows it while you write'
	@echo 'make dist        the three distributions, into dist/'
	@echo 'make dist-check  make dist, and install each by name in an empty environment'
	@echo 'make clean       remove .venv, caches and what demo and bench have made'

# As they were given: make would read the $5 of QUERY='a $5 toy' as a variable of its own.
override MEDIA := $(value MEDIA)
override QUERY := $(value QUERY)
export MEDIA QUERY

# What `make test` installs holds all that the demo needs.
demo: $(if $(wildcard $(DEV)),$(DEV),$(DEMO))
	@MEDIA="$${MEDIA-}" QUERY="$${QUERY-}"; \
	set --; \
	if [ -n "$$MEDIA" ]; then set -- "$$@" "--media=$$MEDIA"; fi; \
	if [ -n "$$QUERY" ]; then set -- "$$@" "--query=$$QUERY"; fi; \
	PYTHONPATH=examples $(BIN)/python -m demo "$$@"

test: $(DEV)
	$(BIN)/python -m $(MEASURED) pytest $(TESTS)

check: lint typecheck test

format: $(DEV)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

lint: $(DEV)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

typecheck: $(DEV)
	$(BIN)/mypy

coverage: $(DEV)
	$(BIN)/python -m coverage erase
	$(MAKE) test MEASURED="coverage run -m"
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# LangChain's own suites need a newer httpx than we do.
lowest: $(LOWEST)/installed
	$(LOWEST)/bin/python -m pytest -m "not network" --ignore=tests/langchain/test_standard.py tests/core tests/langchain tests/llama_index tests/ray tests/emulator $(TESTS)

mutations: $(DEV)
	$(BIN)/python tests/mutations.py

chaos: $(DEV)
	$(BIN)/python -m tests.chaos $(CHAOS)

bench: $(DEV)
	$(BIN)/python -m benchmarks

live: $(DEV)
	$(BIN)/python -m twelvelabs_emulator.live $(LIVE)

clients: $(DEV) $(CLIENT_STAMPS)
	$(BIN)/python -m pytest tests/clients

# A dead link, or a name that the API page does not find, is an error.
docs: $(DOCS)/installed
	$(DOCS)/bin/python -m tests.site build/docs
	$(DOCS)/bin/zensical build --strict --clean
	$(DOCS)/bin/python -m tests.site --check build/site

docs-serve: docs
	$(DOCS)/bin/zensical serve

# Each wheel is built from its sdist. Names: twelvelabs-embeddings (.) and the two that depend on it.
dist: $(DEV)
	rm -rf dist
	for folder in . distributions/*/; do $(BIN)/python -m build --outdir dist "$$folder" || exit 1; done
	$(BIN)/python -m twine check --strict dist/*

dist-check: dist
	$(BIN)/python -m tests.dist_check dist

clean:
	rm -rf $(VENV) $(CLIENTS) $(DOCS) $(LOWEST) build dist .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.* examples/media examples/output
	rm -f benchmarks/results/*.json
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || \
	  { echo "No $(PYTHON) here. Python 3.10 or newer is needed; name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; $(PYTHON) is `"$(PYTHON)" -V 2>&1`. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with `"$(PYTHON)" -V 2>&1` …"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(DOCS)/installed: pyproject.toml
	@echo "Installing what the site needs into $(DOCS) …"
	@"$(PYTHON)" -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip --disable-pip-version-check --quiet install '.[docs]'
	@touch $@

$(LOWEST)/installed: pyproject.toml
	@"$(PYTHON)" -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip --disable-pip-version-check --quiet install uv
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct -e '.[unit]'
	@touch $@

$(PYTHON_CLIENTS):
	@"$(PYTHON)" -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install '$(CLIENT)'
	@touch $@

# Without npm it is left out, and its test is skipped.
$(CLIENTS)/javascript/installed:
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-audit --no-fund --prefix $(@D) '$(CLIENT)' && touch $@; \
	else echo "no npm: $(CLIENT) is left out"; fi

$(DEMO): pyproject.toml | $(BIN)/python
	@echo "Installing the package and what the demo needs into $(VENV) (a minute or two the first time) …"
	@$(PIP) install -e '.[demo]'
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing the package and what its development needs into $(VENV) (some minutes the first time) …"
	@$(PIP) install -e '.[dev]'
	@touch $@
