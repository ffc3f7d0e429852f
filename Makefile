# make run   the whole job on the recorded market: data, model, months of trading
# make paper today's market without a key: data, model, dashboard, a bot that trades on paper
# make test  what CI runs: ruff, import-linter, mypy --strict, pytest
# make test-slow the tests that take long: whole programs at length, each safeguard taken away, many random cases
# make dashboard  the bot in a browser: http://127.0.0.1:8377
# make chaos 10,000 seeded disasters at each exchange: is anything lost or doubled?
# make docs  the guides' tables of settings, from the catalogue
# make pictures  the READMEs' pictures, of a demo in either language: needs Chromium, takes some minutes
# make lock  the exact releases and their hashes anew, from requirements/*.in; UPGRADE=--upgrade for newer ones
# make bench what is claimed of speed and memory, both sides in one run: ten minutes on two free cores
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Another than the newest that is found: make PYTHON=/path/to/python3.12
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n auto --dist worksteal
# All at once, and at installing: otherwise each process of a first start, or of a first test run, does it for itself.
# pytest compiles the tests in its own way.
COMPILE = $(BIN)/python -m compileall -q -j 0
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help run paper dashboard install install-dev test test-slow lint types tests chaos bench lock docs pictures format clean

help:
	@sed -n 's/^# make/make/p' Makefile

$(BIN)/python:
	@python=$$(deploy/find_python.sh $(PYTHON)) && echo "Making the virtual environment in $(VENV) with $$python ..." \
		&& "$$python" -m venv $(VENV)

$(VENV)/runtime: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt (the first time takes a minute or two) ..."
	$(PIP_INSTALL) -r requirements.txt
	@$(COMPILE) marsshot embedded_market *.py
	@touch $@

$(VENV)/benchmarks: requirements/benchmarks.txt | $(BIN)/python
	@echo "Installing requirements/benchmarks.txt ..."
	$(PIP_INSTALL) -r requirements/benchmarks.txt
	@touch $@ $(VENV)/runtime

$(VENV)/development: requirements/dev.txt | $(BIN)/python
	@echo "Installing requirements/dev.txt ..."
	$(PIP_INSTALL) -r requirements/dev.txt
	@$(COMPILE) marsshot embedded_market benchmarks tests/helpers *.py
	@$(PYTEST) -n 0 --collect-only -q >/dev/null || true
	@touch $@ $(VENV)/runtime

$(VENV)/dashboard: requirements/dashboard.txt | $(BIN)/python
	@echo "Installing requirements/dashboard.txt ..."
	$(PIP_INSTALL) -r requirements/dashboard.txt
	@touch $@ $(VENV)/runtime

install: $(VENV)/runtime

install-dev: $(VENV)/development

run: install
	$(BIN)/python build_csv.py
	$(BIN)/python train_model.py
	$(BIN)/python main.py

paper: $(VENV)/dashboard
	@$(BIN)/python -m marsshot.commands.paper_setup

dashboard: $(VENV)/dashboard
	$(BIN)/python dashboard.py

# mypy takes a core for twenty seconds: the tests need not wait for it.
test: install-dev
	@$(MAKE) --no-print-directory --jobs=2 lint types tests

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types:
	$(BIN)/mypy --strict .

tests:
	$(PYTEST)

test-slow: install-dev
	$(PYTEST) -m "slow or hypothesis" --hypothesis-profile thorough

chaos: install
	$(BIN)/python chaos.py --runs 10000
	$(BIN)/python chaos.py --runs 10000 --exchange bitvavo

BENCHMARKS := price_check daily_bar_sources daily_update daemon growth build_csv backtest demo scaling dashboard
TRAINING_DATA ?= training_data.csv

docs: install
	$(BIN)/python docs/write_tables.py

pictures: install-dev
	$(BIN)/python docs/make_pictures.py

bench: $(VENV)/benchmarks
	@for name in $(BENCHMARKS); do echo; echo "benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py; done
	@if test -f "$(TRAINING_DATA)"; then $(BIN)/python benchmarks/model/train.py --input "$(TRAINING_DATA)"; else \
		echo "benchmarks/model/train.py is left out: there is no $(TRAINING_DATA); name one with make bench TRAINING_DATA=..."; fi

LOCKS := runtime dashboard distributed benchmarks dev

lock: install-dev
	@for name in $(LOCKS); do \
		lock=requirements/$$name.txt; agree="--constraint requirements.txt"; \
		if [ $$name = runtime ]; then lock=requirements.txt; agree=""; fi; \
		command="uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate $$agree"; \
		command+=" --output-file $$lock requirements/$$name.in"; \
		echo "$$command"; $(BIN)/$$command --quiet $(UPGRADE) --custom-compile-command "$${command//  / }"; done

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
