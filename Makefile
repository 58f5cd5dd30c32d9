# Everything runs from .venv; `make setup` makes it, and every target that needs it calls it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
SETUP := $(VENV)/.setup
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps
# What goes the same ways thousands of times: traced for coverage it takes three to five times as long.
OVER_AND_OVER := $(patsubst %,tests/property/test_%.py,simulator campaign_simulator correlate eras \
  base_rates flood liars oracle decode formats fuzz indicator sight schemas surprise release audit \
  benign interchange output_safety pseudonym world many_at_once)
# Integration tests wait more than they work: four at once, each with a broker of its own.
AT_ONCE ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types unit integration hunt interchange fuzz schemas worlds screenshots serving \
  marx-page lock bench peers performance pages monitoring chart soak overload site audit clean

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(SETUP) ## Make .venv and install the project

# Compiled at the end, on every core, and with our own code: where PYTHONDONTWRITEBYTECODE is set, each
# process would compile it anew. (What cannot be compiled are examples in packages, of old Pythons.)
$(SETUP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sightline needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	@sed -n '/^pip==/,/# via/p' $(LOCK) > $(VENV)/pip.lock
	$(INSTALL) --require-hashes -r $(VENV)/pip.lock
	$(INSTALL) --require-hashes --no-compile -r $(LOCK)
	$(INSTALL) --no-build-isolation --editable .
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib pipeline || true
	@touch $@

demo: setup ## The whole of it in a few minutes, checked; ARGS=--keep leaves the page up
	@$(BIN)/sightline demo $(ARGS)

test: setup lint ## All of it: lint, types, unit, property, integration
	@$(MAKE) --no-print-directory -j 2 types unit # mypy has one core
	@$(MAKE) --no-print-directory integration

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup ## Unit, property and golden tests, with the core's coverage
	$(BIN)/python -m pytest -q -n auto --dist worksteal tests/unit tests/golden tests/property \
	  $(addprefix --ignore=,$(OVER_AND_OVER)) --cov --cov-report=term
	$(BIN)/python -m pytest -q -n auto --dist worksteal $(OVER_AND_OVER)

integration: setup ## Real processes on real brokers; AT_ONCE=1 for one after the other
	$(BIN)/python -m pytest -q -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder \
	  tests/scenarios tests/integration

hunt: setup ## The property tests with examples never tried: SEED=7, or a random seed
	$(BIN)/python -m pytest -q -n auto --dist worksteal tests/property --hypothesis-seed=$(or $(SEED),random)

interchange: setup ## A thousand campaigns before others' validators and importers; INTERCHANGE=100
	INTERCHANGE=$(or $(INTERCHANGE),1000) $(BIN)/python -m pytest -q -n auto --dist worksteal tests/property/test_interchange.py

fuzz: setup ## Messages that no sensor would send, for a minute; SECONDS=600 SEED=1
	@$(BIN)/python -m tests.property.fuzz --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

schemas: setup ## Write schemas/ anew from the types
	$(BIN)/python -m pipeline.shell.schemas

worlds: setup ## How well campaigns are told in twenty labelled worlds, and in the worst
	$(BIN)/python -m tests.bench.worlds

screenshots: setup ## Write docs/images anew: the dashboard in Debian's Chromium
	$(BIN)/python -m tests.browser.screenshots

serving: setup ## The dashboard: filters over a million alerts; 50 viewers at 1,000 updates a second
	@$(BIN)/python -m tests.bench.serving $(ARGS)

marx-page: setup ## Write docs/marx.md anew: the campaigns in half a year of real attacks
	$(BIN)/python -m pipeline.shell.marx_page

lock: setup ## Resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --group dev --output-file $(LOCK) pyproject.toml

bench: setup ## Events a second and alert latency on a real Kafka
	@$(BIN)/sightline bench

peers: setup ## The same job in Quix Streams and Bytewax, in environments of their own; ARGS="--lateness 1h"
	@$(BIN)/python -m tests.bench.peers $(ARGS)

performance: setup ## Measure the whole table and write docs/performance.md and docs/scaling.md; TABLE=full
	@mkdir -p docs/measured
	$(BIN)/sightline bench --table $(or $(TABLE),quick) > docs/measured/bench.jsonl
	$(BIN)/python -m tests.bench.peers > docs/measured/peers.jsonl
	@$(MAKE) --no-print-directory pages

monitoring: setup ## Write deploy/monitoring and the list of runbooks anew
	$(BIN)/python -m pipeline.shell.monitoring.write

pages: setup ## Write docs/performance.md and docs/scaling.md from docs/measured
	@$(BIN)/python -m tests.bench.page
	@$(BIN)/python -m tests.bench.scaling

soak: setup ## 100 SIGKILLs on a real Kafka (SOAK_KILLS, SOAK_SEED, SOAK_SECONDS)
	@$(BIN)/python -m tests.soak

overload: setup ## Twice what a worker takes, for two minutes
	OVERLOAD_SECONDS=120 $(BIN)/python -m pytest -q tests/integration/test_overload.py

site: ## The documents as web pages, in deploy/site/site
	@test -x .site/bin/zensical || ($(PYTHON) -m venv .site && .site/bin/pip install --quiet --disable-pip-version-check "zensical>=0.1.3,<0.2")
	@$(PYTHON) deploy/site/stage.py deploy/site/pages
	@.site/bin/zensical build --clean --strict --config-file deploy/site/zensical.toml

audit: ## Known vulnerabilities of the locked dependencies (asks the package index)
	@test -x .audit/bin/pip-audit || ($(PYTHON) -m venv .audit && .audit/bin/pip install --quiet "pip-audit>=2.9,<3")
	.audit/bin/pip-audit --strict --disable-pip --require-hashes -r $(LOCK)

chart: setup ## The Helm chart against Kubernetes' schemas; needs helm (HELM=…), CRDS=DIR for others' kinds
	@test -x .chart/bin/python || ($(PYTHON) -m venv .chart && .chart/bin/pip install --quiet "kubernetes-validate>=1.33" "jsonschema>=4.25,<5" "PyYAML>=6.0.2,<7")
	.chart/bin/python -m tests.bench.chart

clean: ## Forget .venv and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
