.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
export PYTHONPATH := $(CURDIR)
SOURCE ?= simulated
BERKA_DIR ?=

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Create the environment from the pinned lock

$(VENV)/.installed: requirements/requirements.lock
	python3.11 -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/requirements.lock
	touch $@

demo: setup ## The whole system on a simulated bank (SOURCE=berka BERKA_DIR=... for the Berka bank)
	SOURCE=$(SOURCE) BERKA_DIR=$(BERKA_DIR) $(PY) -m demo

test: setup ## The checks that every change must pass
	$(PY) -m ruff check .
	$(PY) -m pytest -m "not full"

test-full: setup ## Every check, the slow ones too: before a release
	$(PY) -m pytest

lock: ## Resolve requirements.in again (needs uv)
	cd requirements && uv pip compile requirements.in --override overrides.txt --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 -o requirements.lock

clean: ## Remove everything that a run wrote
	rm -rf var dbt_project/target dbt_project/logs

.PHONY: help setup demo test test-full lock clean
