.DEFAULT_GOAL := help
VENV := .venv
LOCKS := requirements/bootstrap.lock requirements/requirements.lock requirements/dev.lock
PY := $(VENV)/bin/python
BI := .venv-bi
SPARK := .venv-spark
SERVE ?=
# Where it is set, every process would compile its libraries again: seconds each.
unexport PYTHONDONTWRITEBYTECODE
export PRE_COMMIT_HOME := $(CURDIR)/$(VENV)/pre-commit
SOURCE ?= simulated
BERKA_DIR ?=
SLOW := sqlfluff,secrets
comma := ,
# Where no store is named, that of the demonstration is meant.
OR_DEMO = if [ -z "$$C360_WAREHOUSE" ] && [ -f var/demo/env ]; then set -a; . var/demo/env; set +a; fi;
TWO_WORKERS := --numprocesses 2 --dist loadscope --no-loadscope-reorder

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Create the environment from the pinned locks, for running, tests and checks

$(VENV)/.installed: $(LOCKS) pyproject.toml
	python3.11 -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/bootstrap.lock
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --quiet --compile-bytecode --require-hashes \
		requirements/requirements.lock requirements/dev.lock
	VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## The whole system on a simulated bank (SOURCE=berka BERKA_DIR=... for the Berka bank)
	$(PY) -m demo --source "$(SOURCE)" --berka-dir "$(BERKA_DIR)"

# pre-commit asks git which files there are: a tree that was unpacked without its history becomes a repository.
.git:
	git init --quiet && git add --all

check: setup | .git ## Style, types, imports, dbt's rules, spelling, secrets: in about a minute; slow ones on changed files
	SKIP=$(SLOW) $(VENV)/bin/pre-commit run --all-files
	@base=$$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || echo HEAD); \
	files=$$(git diff --name-only --diff-filter=d $$base; git ls-files --others --exclude-standard); \
	if [ -n "$$files" ]; then for hook in $(subst $(comma), ,$(SLOW)); do \
		$(VENV)/bin/pre-commit run $$hook --files $$files || exit 1; done; fi

test: setup | .git ## What every change must pass: the checks on all files, and the tests
	SKIP=$(SLOW) $(VENV)/bin/pre-commit run --all-files
	$(PY) -m pytest -m "not full and not airflow and not bi and not app and not spark" $(TWO_WORKERS)

test-full: setup | .git ## Every test, the slow ones too: before a release
	SKIP=$(SLOW) $(VENV)/bin/pre-commit run --all-files
	$(PY) -m pytest -m "not bi and not app and not spark" $(TWO_WORKERS)

fuzz: setup ## Files, manifests, events and tables spoilt at random, for ten minutes: no crash, hang, loss or leak
	C360_FUZZ_SECONDS=300 $(PY) -m pytest $(wildcard tests/*/*/test_fuzz.py)

figures: setup ## Lines by folder, long functions, loose types, copied lines
	$(PY) -m checks.figures

faults: setup ## Plants every fault, on both stores, and prints what was measured (ONLY=row,row KILLS=34)
	$(PY) -m checks.faults $(if $(ONLY),--only $(ONLY)) $(if $(KILLS),--kills $(KILLS))

soak: setup ## 90 business dates in a row in one process, with 50 readers: memory, cost and waits stay flat (SOAK=--dates 20)
	$(PY) -m benchmarks.soak $(SOAK)

security: setup | .git ## Rights, levels, TLS, personal values in all that a small bank writes, secrets, libraries (ADVISORIES=folder)
	$(PY) -m checks.security $(if $(ADVISORIES),--advisories $(ADVISORIES))

bench: setup ## 100,000 customers x 24 months against the straight-line script (half an hour)
	$(PY) -m benchmarks.bench

bench-all: setup ## What people would use instead (pandas and to_sql, a dbt process per model, Splink, scikit-learn), against ours
	$(PY) -m benchmarks.rivals $(BENCH)

bench-api: setup ## A minute of requests to the read API of the store that C360_WAREHOUSE names, while it is published
	@$(OR_DEMO) $(PY) -m benchmarks.api

bench-app: setup ## A minute of ten people in the workbench on a copy of that store, while it is published
	@$(OR_DEMO) $(PY) -m benchmarks.app

bench-charts: setup $(BI)/.installed ## Every chart asked of Superset over that store, enlarged to 100,000 customers
	@$(OR_DEMO) $(PY) -m benchmarks.charts --superset $(BI)

bench-readers: setup $(BI)/.installed ## A minute of API, pools and Superset on a copy of that store, while it is published
	@$(OR_DEMO) $(PY) -m benchmarks.readers --target duckdb --superset $(BI)
	@$(OR_DEMO) $(PY) -m benchmarks.readers --target postgres --superset $(BI)

$(BI)/.installed: requirements/superset.lock
	python3.11 -m venv --without-pip $(BI)
	VIRTUAL_ENV=$(BI) $(VENV)/bin/uv pip sync --quiet --compile-bytecode --require-hashes requirements/superset.lock
	touch $@

bi: setup $(BI)/.installed ## Dashboards in Superset, on the store that C360_WAREHOUSE names or the demonstration's
	@$(OR_DEMO) exec $(PY) -m c360 bi serve --environment $(BI) $(SERVE)

test-airflow: setup ## The DAGs of a small bank under a real Airflow scheduler: back-fill, assets, a day that fails
	$(PY) -m pytest tests/dags -m airflow --numprocesses 0

test-bi: setup $(BI)/.installed ## Every dashboard in a real Superset and browser, held against SQL; takes the pictures
	$(PY) -m pytest tests/c360/bi -m bi --numprocesses 0

test-app: setup ## The workbench in a real browser, on the demonstration's bank: flows, languages, widths, keyboard, axe
	$(PY) -m pytest tests/c360/app -m app --numprocesses 0

$(SPARK)/.installed: requirements/spark.lock $(LOCKS)
	python3.11 -m venv --without-pip $(SPARK)
	VIRTUAL_ENV=$(SPARK) $(VENV)/bin/uv pip sync --quiet --compile-bytecode --require-hashes \
		requirements/requirements.lock requirements/dev.lock requirements/spark.lock
	touch $@

test-spark: setup $(SPARK)/.installed ## A small bank built by Spark (a local master): every table held against DuckDB's
	SPARK_CONF_DIR=$(CURDIR)/tests/spark $(SPARK)/bin/python -m pytest tests/pipeline/test_spark.py \
		tests/lakehouse/warehouse/test_spark.py -m spark --numprocesses 0 --capture=no

linkage: setup ## Record linkage on the public sets that wheels bring (ABLATION=--ablation: without one rule at a time)
	$(PY) -m benchmarks.linkage $(ABLATION)

lock: setup ## Resolve requirements.in (what runs) and dev.in (tests and checks, constrained by it) again
	cd requirements && for name in bootstrap requirements dev superset spark; do \
		../$(VENV)/bin/uv pip compile $$name.in --override overrides.txt --generate-hashes --no-emit-index-url \
			--no-header --no-annotate --python-version 3.11 --quiet -o $$name.lock; done

clean: ## Remove everything that a run wrote
	rm -rf var dbt_project/target dbt_project/logs

.PHONY: help setup demo check test test-full fuzz figures faults soak security bench bench-all bench-api bench-app \
	bench-charts bench-readers bi test-airflow test-bi test-app test-spark linkage lock clean
