# The front door. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export VIRTUAL_ENV := $(abspath $(VENV))
# The tests, the demo and Dagster start hundreds of processes: without kept bytecode each would compile two seconds of modules again.
unexport PYTHONDONTWRITEBYTECODE

DEMO_OPTIONS := $(if $(ONCE),--once) $(if $(FRESH),--fresh) $(if $(DATA),--data "$(DATA)") $(if $(COUNTRY),--country $(COUNTRY)) $(if $(N),--contacts $(N))

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 16

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit("RingTrue needs Python 3.11 or newer; this is %d.%d. Say make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: requirements.lock pyproject.toml setup.py $(wildcard ringtrue/numbering/*.[ch]) | $(BIN)/uv
	$(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: install
install: $(VENV)/.installed ## Make .venv from the lock file

.PHONY: demo
demo: install ## The main job against the sandbox (ONCE=1 FRESH=1 N=contacts DATA=list.csv COUNTRY=NZ)
	$(BIN)/ringtrue demo $(DEMO_OPTIONS)

.PHONY: dev
dev: install ## Dagster UI on ringtrue.toml
	DAGSTER_HOME="$(abspath dagster_home)" $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1

.PHONY: sandbox
sandbox: install ## The stand-ins alone, where ringtrue.toml looks for them; for `make dev`
	$(BIN)/ringtrue sandbox

.PHONY: browser
browser:
	@command -v chromium >/dev/null || (test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq chromium) || \
		echo "No chromium: the browser test will be skipped. Install Debian's package chromium."

# Unpacked, not installed: a web server that `make test` starts on somebody's machine would be rude.
.PHONY: proxies
proxies:
	@test -x .proxies/usr/sbin/nginx -a -x .proxies/usr/bin/caddy || (mkdir -p .proxies && cd .proxies && \
		(test "$$(id -u)" != 0 || apt-get update -qq) && apt-get download -qq nginx caddy && for one in *.deb; do dpkg-deb -x $$one .; done) || \
		echo "No nginx and Caddy: the tests of the proxies will be skipped. They need Debian's packages nginx and caddy."

.PHONY: test
test: install browser proxies ## All tests, on both cores (COVERAGE=1 measures what they reach, a quarter slower)
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25 $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

.PHONY: test-live
test-live: install ## The connectors against real sandboxes, those with LIVE_ credentials in the environment
	RINGTRUE_LIVE=1 $(BIN)/pytest tests/live -n 0 --no-cov

.PHONY: lint
lint: install ## Format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: migration
migration: install ## Write a migration for changed tables (M="what changes"; M=--first as long as nothing is released)
	$(BIN)/python -m ringtrue.ledger.new_migration "$(M)"
	$(BIN)/ruff format --quiet ringtrue/ledger/migrations

.PHONY: bench
bench: install ## Speed, calls and memory of the main job (N=contacts per CRM, 100000 by default)
	$(BIN)/python -m benchmarks.main_job $(if $(N),--contacts $(N))

.PHONY: bench-numbers
bench-numbers: install ## Speed of reading numbers, beside others
	$(BIN)/python -m benchmarks.numbers

.PHONY: fuzz
fuzz: install ## Numbers read by our kernel and by phonenumbers, compared on random text for a long time
	$(BIN)/python -m benchmarks.fuzz_numbers

.PHONY: docs
docs: install ## Renew docs/settings.md and docs/messages.md from the code
	$(BIN)/python docs/settings_page.py
	$(BIN)/python docs/messages_page.py

.PHONY: site
site: install ## The documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: screenshots
screenshots: install browser ## Renew docs/images from the demo's world
	$(BIN)/ringtrue demo --once --fresh
	$(BIN)/python docs/screenshots.py

.PHONY: bench-truth
bench-truth: install ## What the policy gets right and what it costs, in simulated worlds (QUICK=1 for a small one)
	$(BIN)/python -m benchmarks.truth $(if $(QUICK),--quick) $(if $(JOBS),--jobs $(JOBS))

.PHONY: lock
lock: | $(BIN)/uv ## Renew requirements.lock
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock
