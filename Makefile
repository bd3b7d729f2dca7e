# Two commands: `make demo` and `make test`. Each sets up .venv on first use; later runs need no network.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pinned for everything that pip installs, the build backend included
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-slow lint bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	$(BIN)/hwsim demo -o hwsim-demo

test: lint
	$(BIN)/pytest -n 2 -m "not slow"
	@echo "make test: everything passed"

test-slow: $(VENV)/.dev
	$(BIN)/pytest -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing packages into $(VENV) (about a minute)"
	@test -e $(VENV)/.dev || $(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt .ci/debian-packages | $(VENV)/bin/python
	@.ci/debian-packages optional chromium
	@echo "installing packages into $(VENV) (about a minute)"
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/bin/python:
	@.ci/debian-packages required python3-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hwsim needs Python 3.11 or newer: make PYTHON=python3.11")'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) hwsim-demo
