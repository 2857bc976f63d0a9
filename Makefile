# Environments are built once and again only when what they are made of has changed.
#   .venv       the base package, as a musician installs it
#   .venv-test  the package in place, with every extra that the tests and the tools need

PYTHON ?= python3

BASE := .venv
TEST := .venv-test
SOURCES := $(shell find src -type f -not -path '*/__pycache__/*')
PACKAGING := pyproject.toml constraints.txt
EXTRAS := .[train,corpora,notation,listen,dev]
WORKERS ?= 2

# The tests take nothing from outside the repository, and each of their processes keeps to one core.
CLEAN_ENV := env -u CADENZA_DATA -u PYTHONPATH OMP_NUM_THREADS=1 MPLBACKEND=Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
TYPESCRIPT := typescript@7.0.2

.PHONY: help studio compose browser setup test lint format smoke unit clean

help:
	@echo 'make studio    open the studio in the browser: a piano roll that writes with you'
	@echo 'make compose   sixteen bars: out/cadenza.mid, out/cadenza.wav and out/cadenza.png'
	@echo 'make test      everything that is checked: lint, types, a fresh install that composes, the tests'
	@echo 'make lint      ruff, pyright, and the types of the pages where npm is there'
	@echo 'make format    let ruff mend and lay out the code'
	@echo 'make unit      the tests alone; ARGS="tests/test_midi.py -k pedal" picks some'
	@echo 'make setup     the environment for working on Cadenza, in $(TEST)'
	@echo 'make clean     remove the environments and everything that was made'
	@echo 'PYTHON=python3.12 before the first of these chooses the interpreter (3.11 or newer).'

# $(call install,ENVIRONMENT,WHAT)
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'Cadenza needs Python 3.11 or newer and "$(PYTHON)" is not: say make PYTHON=/path/to/python3.11' >&2; \
	    exit 2; }
	@test -x $(1)/bin/pip || $(PYTHON) -m venv --clear $(1) || { \
	    echo '$(PYTHON) cannot make virtual environments: install its venv module (Debian: python3-venv)' >&2; \
	    exit 2; }
	$(1)/bin/python -m pip install --quiet --constraint constraints.txt pip
	$(1)/bin/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt $(2)
	@touch $@
endef

$(BASE)/.installed: $(PACKAGING) $(SOURCES)
	$(call install,$(BASE),.)

$(TEST)/.installed: $(PACKAGING)
	$(call install,$(TEST),--editable '$(EXTRAS)')

studio: $(BASE)/.installed
	$(BASE)/bin/cadenza studio $(ARGS)

compose: $(BASE)/.installed
	@mkdir -p out
	$(BASE)/bin/cadenza compose --style pop --bars 16 --seed 1 -o out/cadenza.mid --wav --png

setup: $(TEST)/.installed

test: lint smoke unit

lint: $(TEST)/.installed
	$(TEST)/bin/ruff check
	$(TEST)/bin/ruff format --check
	$(TEST)/bin/pyright --pythonpath $(TEST)/bin/python
	@if command -v npm > /dev/null; then \
	    npm exec --yes --prefer-offline --package=$(TYPESCRIPT) -- tsc --project tsconfig.json; \
	else echo 'no npm: the types of the pages are not checked'; fi

format: $(TEST)/.installed
	$(TEST)/bin/ruff check --fix
	$(TEST)/bin/ruff format

# The installed command, with the base package's few dependencies: a musician's first minute.
smoke: $(BASE)/.installed
	@$(BASE)/bin/python -c 'import importlib.util as u, sys; sys.exit("torch in the base install" if u.find_spec("torch") else 0)'
	@$(BASE)/bin/cadenza --help > /dev/null
	@$(BASE)/bin/python -m cadenza --help > /dev/null
	@$(BASE)/bin/python -c 'from cadenza.server.serving import serve; from cadenza.server.app import PAGES; (PAGES / "index.html").read_text()'
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cd "$$folder" && \
	    "$(CURDIR)/$(BASE)/bin/cadenza" compose --style pop --bars 4 --seed 1 -o smoke.mid --wav --png && \
	    test -s smoke.mid && test -s smoke.wav && test -s smoke.png

# The studio is tested in a real browser, a package of the system.
browser:
	@command -v chromium > /dev/null || command -v chromium-browser > /dev/null || \
	    command -v google-chrome > /dev/null || { \
	    test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
	    apt-get update --quiet=2 && apt-get install --quiet=2 --yes chromium > /dev/null; } || { \
	    echo 'the studio is tested in Chromium, which is not here: install it (Debian: apt-get install chromium)' >&2; \
	    exit 2; }

unit: $(TEST)/.installed browser
	@$(CLEAN_ENV) $(TEST)/bin/python -m pytest -n $(WORKERS) --hypothesis-profile=ci $(ARGS)

clean:
	rm -rf $(BASE) $(TEST) build dist out .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
