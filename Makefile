# Everything a visitor runs. `make help` lists it.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
WORKERS ?= 3
NPM_CI := npm ci --loglevel=error --no-progress --no-audit --no-fund >/dev/null  # its errors are on stderr
#: runs a module that Ctrl-C ends without a traceback
QUIETLY := 'import runpy, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); sys.argv[:] = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name="__main__")'
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist worksteal  # most tests wait: one worker more than there are cores

.PHONY: help first-word contact dialects foreign setup run test check client-check browser firefox native hostile interleavings races money faults soaks audit isolation reliability scale survival kills moves wakes survive packages lock lint types schema clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/ready: requirements.lock pyproject.toml client/python/pyproject.toml
	@echo "setting up .venv (about a minute the first time): Python's own part…"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x"; exit 1; }
	@$(PYTHON) -c $(QUIETLY) venv .venv
	@echo "  the installer (uv)…"
	@$(BIN)/pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@echo "  the packages…"
	@$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . -e client/python
	@touch $@

tests/sdk/node_modules/ready: tests/sdk/package-lock.json
	@echo "installing Google's SDK, for the tests…"
	@cd tests/sdk && $(NPM_CI)
	@touch $@

client/sdk/dist/index.js: client/sdk/package-lock.json $(shell find client/sdk/src client/sdk/scripts -type f 2>/dev/null)
	@node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' || { echo "Node 20 or newer is needed"; exit 1; }
	@echo "building the client (about a minute the first time): its packages…"
	@cd client/sdk && $(NPM_CI) --ignore-scripts
	@echo "  the SDK…"
	@cd client/sdk && npm run --silent build
	@touch $@

client/console/dist/index.html: client/sdk/dist/index.js client/console/package-lock.json $(wildcard client/console/vite.config.ts) $(shell find client/console/src client/console/public -type f 2>/dev/null)
	@echo "  the console's packages…"
	@cd client/console && $(NPM_CI) --ignore-scripts
	@echo "  the console…"
	@cd client/console && npm run --silent build
	@touch $@

setup: .venv/ready tests/sdk/node_modules/ready client/console/dist/index.html ## install everything into this folder

run: .venv/ready client/console/dist/index.html ## the whole stack on this machine; GEMINI_API_KEY set: with Google, else with the simulator; ARGS="--port 9000"
	@$(BIN)/vivavoce dev $(ARGS)

test: setup ## every test but the browsers', which are `make browser`
	@WORKERS=$(WORKERS) tests/all.sh

hostile: setup ## 10,000 hostile messages on each road
	@HOSTILE_MESSAGES=10000 $(BIN)/pytest -s --timeout 900 -k hostile tests

interleavings: .venv/ready ## ten thousand orders in which a model may tell of one conversation, against its truth
	@INTERLEAVINGS=10000 $(BIN)/pytest -n 0 -s tests/relay/test_interleavings.py

money: .venv/ready ## ten thousand steps of a hostile user against a bookkeeper who reads the simulator's ledger, then two hundred conversations; STEPS=10000 SEED=1
	@$(BIN)/python -m tests.money.walk --steps $(or $(STEPS),10000) --seed $(or $(SEED),1) --chats 200

races: .venv/ready ## the records' protocols in all interleavings with crashes, and planted faults; RACES_S=60 of CPU time each
	@$(BIN)/python -m tests.races.run

faults: setup ## every fault on every link by script, then the soaks of docs/reliability.md (an hour and a quarter)
	@$(BIN)/pytest -s -m faults tests/faults
	@$(BIN)/python -m bench.record soak weight soaks

SOAK_MINUTES ?= 10
SOAK_EVIDENCE ?= .local/soaks

soaks: setup ## the soak with each kind of model in its dialect, and a table; SOAK_MINUTES=10 each, SOAK_EVIDENCE=.local/soaks
	@$(BIN)/python -m bench.soaks --minutes $(SOAK_MINUTES) --evidence $(SOAK_EVIDENCE)

first-word: .venv/ready ## from a click to the first audio when nothing runs, by others' start times; WAYS="microvm asleep" RUNS=20 MINUTES=9 PACE=2, or CALLERS=200 at once on a fresh account
	@$(BIN)/python -m $(if $(CALLERS),bench.rush --callers $(CALLERS),bench.first_word --runs $(or $(RUNS),20) $(if $(WAYS),--ways $(WAYS)) $(if $(MINUTES),--minutes $(MINUTES))) --seed $(or $(SEED),1) --pace $(or $(PACE),2) $(ARGS)

contact: .venv/ready ## alter the simulator in sixty ways, one by one: doctor --google must name each (a quarter of an hour)
	@$(PYTEST) -m 'contact or not contact' tests/cli/test_cli_contact_alterations.py

dialects: setup ## talk in every way to every kind of model, then the suite but the browsers with each, and a table (an hour)
	@WORKERS=$(WORKERS) $(BIN)/python -m tests.dialects --ways

foreign: .venv/ready ## unmodified foreign clients in environments of their own (600 MB) talk to the simulator; prints a table (six minutes)
	@$(BIN)/python -m tests.foreign.run $(ARGS)

reliability: .venv/ready ## make the other figures of docs/reliability.md anew (twenty minutes)
	@$(BIN)/python -m bench.record rotations day breaks hearing bargeins survive isolation

scale: setup ## two hundred callers on an empty fleet, with real processes
	@$(BIN)/pytest -s -m scale tests/scale

isolation: .venv/ready ## what forty calls feel of one user who floods their relay in every way, as hard as the limits allow (six minutes)
	@$(BIN)/python -m bench.isolation $(ARGS)

survival: .venv/ready ## a relay told to go and one killed, each with fifty calls on it; two killed within seconds
	@$(BIN)/pytest -s -m scale tests/survival

kills: .venv/ready ## a relay killed at random instants under ten spoken questions at a time; KILLS=200, KILLS_SEED=0 (a new one), in pieces with KILLS_WITHIN_S=540
	@$(BIN)/pytest -s -m kills tests/survival

moves: .venv/ready ## calls that begin in MicroVMs move to a task under speech, ten at a time; MOVES=200, MOVES_SEED=0 (a new one), in pieces with MOVES_WITHIN_S=430
	@$(BIN)/pytest -s -m moves tests/survival

wakes: .venv/ready ## MicroVMs suspended and woken under speech; WAKES=60 for each way to see it; does not hold yet (docs/reliability.md)
	@$(BIN)/pytest -s -m wakes tests/survival

survive: .venv/ready ## every public failure of Gemini Live, played to a user: answered, told, or silent (eight minutes)
	@$(BIN)/vivavoce survive $(ARGS)

packages: setup ## install the Python client and the packed SDK into empty projects, and talk to the local stack
	@$(BIN)/pytest -s -m packages tests/packages

lock: .venv/ready ## resolve the Python dependencies anew
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes -q --no-header -o requirements.lock

PIP_AUDIT := pip-audit==2.9.0
PYTHON_LOCKS := requirements.lock relay/requirements.lock $(wildcard functions/requirements/*.lock)
NPM_LOCKS = $(shell git ls-files '*package-lock.json')

audit: .venv/ready ## known weaknesses of every locked package, as PyPI and npm know them; fails for one that they do not know
	@$(BIN)/uv tool run -q $(PIP_AUDIT) --strict --require-hashes --disable-pip $(PYTHON_LOCKS:%=-r %)
	@for lock in $(NPM_LOCKS); do echo "$$lock"; (cd $$(dirname $$lock) && npm audit --package-lock-only --audit-level=moderate) || exit 1; done

lint: .venv/ready
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

client-check: client/sdk/dist/index.js ## the client's own lint, types, tests, sizes and package checks
	@cd client/sdk && npm run check --silent

types: .venv/ready
	@$(BIN)/mypy protocol records gemini functions relay simulator infra cli bench agents client/python

schema: .venv/ready ## write the JSON Schema, vectors and the parts of REFERENCE.md that are made from the code
	@$(BIN)/python -m protocol.schema

browser: setup ## the pages in Chromium, Firefox and WebKitGTK; wants a machine with nothing else to do
	@$(BIN)/pytest -m 'visit or not visit' tests/browser

firefox: setup ## of these, the ones in Firefox
	@$(BIN)/pytest -m 'visit or not visit' -k firefox tests/browser

client/examples/react-native/node_modules/ready: client/examples/react-native/package-lock.json
	@echo "installing React Native and its tools (many minutes the first time)…"
	@cd client/examples/react-native && $(NPM_CI) --ignore-scripts
	@touch $@

native: setup client/examples/react-native/node_modules/ready ## the React Native example on its own JavaScript with the local stack, its types and its bundles
	@cd client/examples/react-native && npm run --silent check

check: setup lint types client-check ## what CI runs: everything but the browser
	@$(PYTEST) --ignore tests/browser

include infra/deploy/build.mk

clean: ## remove what setup and run made
	rm -rf .venv .local .aws-sam tests/sdk/node_modules tests/foreign/node_modules tests/browser/node_modules client/sdk/node_modules client/sdk/dist
	rm -rf client/console/node_modules client/console/dist client/examples/react-native/node_modules .mypy_cache .ruff_cache .hypothesis
