# Crossdock. `make` prints what there is; every target sets up what it needs.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*## .*/\1/p' $(MAKEFILE_LIST))

help:                     ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is newer than the lists of packages, or the environment is made anew from them.
$(VENV)/.ready: requirements.txt requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

setup: $(VENV)/.ready     ## the virtual environment with all that hub and tests need

demo: setup               ## hub, seven sandbox systems, orders and a few faults, to see in the console (ARGS=--once: 20 orders to their end)
	$(BIN)/hub up --demo $(ARGS)

test: setup               ## the test suite: SQLite always, PostgreSQL and MariaDB where they answer
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: fmt-check lint types test workspace  ## everything that must hold before a merge

fmt: setup                ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fmt-check: setup          ## is the code formatted?
	$(BIN)/ruff format --check .

lint: setup               ## ruff, all families
	$(BIN)/ruff check .

types: setup              ## mypy, strict
	$(BIN)/mypy

strata: setup             ## who imports whom
	$(BIN)/python -m pytest -q tests/test_strata.py

workspace: setup          ## hub check and hub test on the reference supply chain
	$(BIN)/hub check --elsewhere
	$(BIN)/hub test

journey: setup            ## 2 000 orders on each store while processes are killed (minutes)
	HUB_JOURNEY_ORDERS=$${HUB_JOURNEY_ORDERS:-2000} $(BIN)/python -m pytest tests/journey $(ARGS)

browser: setup            ## the console in a real Chromium, each page in both languages, with pictures in var/shots (HUB_BROWSER_SHOTS)
	HUB_BROWSER_LANGUAGES=all HUB_BROWSER_SHOTS=$${HUB_BROWSER_SHOTS:-var/shots} $(BIN)/python -m pytest tests/browser $(ARGS)

access: setup             ## docs/access.md: who is answered what, at every address, asked of the app itself
	$(BIN)/python -m tests.support.access $(ARGS)

golden: setup            ## tests/golden: what others build on, written anew; look at the difference (HUB_GOLDEN_STORES: addresses of three empty databases, for the SQL)
	$(BIN)/python -m tests.support.golden $${HUB_GOLDEN_STORES:-} $(ARGS)

pictures: setup           ## the pictures of docs/console.md, taken of the running demo (minutes; HUB_PICTURES)
	HUB_PICTURES=$${HUB_PICTURES:-docs/pictures} $(BIN)/python -m pytest tests/browser/test_demo.py --timeout 600 $(ARGS)

conformance: setup       ## one suite over each pairing of store and bell, with real servers (minutes)
	HUB_TEST_STORES=all $(BIN)/python -m pytest -n 2 tests/conformance $(ARGS)

stores: setup            ## the whole test suite with MariaDB everywhere
	HUB_TEST_STORES=all $(BIN)/python -m pytest -n 2 $(ARGS)

faults: setup            ## broker off and purged, killed consumers, half a minute of random faults, a rolling restart (minutes)
	$(BIN)/python -m pytest tests/faults --ignore tests/faults/test_crash_matrix.py --ignore tests/faults/test_checkers.py $(ARGS)

crash: setup             ## the hub killed, failing and stopped at each named point, on each store and bell; planted bugs (quarter of an hour)
	$(BIN)/python -m pytest -v tests/faults/test_crash_matrix.py tests/faults/test_checkers.py $(ARGS)

nemesis: setup           ## ten minutes of random faults on many processes, PostgreSQL and RabbitMQ (HUB_NEMESIS_S, HUB_NEMESIS_SEED)
	HUB_NEMESIS_S=$${HUB_NEMESIS_S:-600} $(BIN)/python -m pytest -s tests/faults/test_nemesis.py $(ARGS)

rolling: setup           ## every process restarted twenty times under load, behind a balancer (HUB_ROLLS)
	HUB_ROLLS=$${HUB_ROLLS:-20} $(BIN)/python -m pytest -s tests/faults/test_rolling.py $(ARGS)

isolation: setup         ## one target hangs, one fails, twenty are fast: their p99 with and without the two, on one process and on several (HUB_ISOLATION_S, HUB_ISOLATION_RATE)
	$(BIN)/python -m pytest -s tests/faults/test_isolation.py $(ARGS)

worst-caller: setup      ## one caller sends the worst posts for a minute: another's p99, health and memory with and without (HUB_WORST_S, HUB_WORST_RATE, HUB_WORST_KINDS)
	HUB_WORST_S=$${HUB_WORST_S:-60} $(BIN)/python -m pytest -s tests/faults/test_worst_caller.py --timeout 600 $(ARGS)

outage: setup            ## a target down for four simulated hours with 100 000 waiting, on SQLite and PostgreSQL (HUB_OUTAGE_WAITING, HUB_OUTAGE_HOURS, HUB_OUTAGE_RATE)
	$(BIN)/python -m pytest -s tests/faults/test_outage.py $(ARGS)

million: setup           ## a million due deliveries: claims, start, a lane in a hurry
	$(BIN)/python bench/million.py $(ARGS)

suites: setup             ## the suites of JSONata (HUB_JSONATA_SUITE names the official one's folder) and JSON Schema (fetched; needs pip, npm and node)
	$(BIN)/python -m pytest -s -rs tests/core/test_jsonata_suite.py tests/suites $(ARGS)

herd: setup               ## 10 000 dead letters replayed by two people at once, on each store (HUB_HERD)
	HUB_HERD=$${HUB_HERD:-10000} $(BIN)/python -m pytest tests/flow/test_repairs.py -k many_dead $(ARGS)

reload: setup             ## two minutes of five configurations a second under load, on each store
	HUB_TEST_RELOAD_S=120 $(BIN)/python -m pytest -s tests/flow/test_reload.py --timeout 600 $(ARGS)

console-bench: setup      ## what operators read on a full store: 5 million messages on PostgreSQL, 1 million on SQLite (many minutes)
	$(BIN)/python bench/console.py $(ARGS)

bench-check: setup        ## how long hub check takes on 500 mappings of 200 fields
	$(BIN)/python bench/check.py $(ARGS)

what-if: setup            ## what-if over 10 000 stored messages, on each store, with its time
	$(BIN)/python -m pytest -s tests/flow/test_whatif.py -k thousand $(ARGS)

bench: setup              ## measure accept and deliver on each store, into bench/RESULTS.md; fails no build
	$(BIN)/python bench/run.py $(ARGS)

proofs: setup             ## the long proofs in turn (hours; ARGS="journey faults": some), their figures into docs/proofs.md
	$(BIN)/python bench/proofs.py $(ARGS)

clean:                    ## remove the environment and what runs left behind
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
