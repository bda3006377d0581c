# Each target first does whatever set-up is missing; a second `make install` is instant.
# UV_VERSION is also pinned in pyproject.toml, so that the lock file holds its hash.

PYTHON ?= python3
UV_VERSION := 0.13.8
BIN := .venv/bin
STAMP := .venv/.installed

export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
# Machines behind a proxy have its authority in the system, where pip and browsers look too.
export UV_SYSTEM_CERTS := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help install run chat test coverage bench bench-quick speed-page soak fuzz lock sample captures \
	clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

install: $(STAMP) ## Build .venv with the project and what its tests need

$(STAMP): pyproject.toml uv.lock Makefile
	@command -v $(PYTHON) >/dev/null || \
		{ echo "Sylk needs Python 3.11 or newer: install python3 and python3-venv." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sylk needs Python 3.11 or newer, this is $$($(PYTHON) --version 2>&1):" \
		"install a newer one and run make PYTHON=python3.11." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv and ensurepip are missing: install python3-venv." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet uv==$(UV_VERSION)
	@$(BIN)/uv sync --frozen --quiet
	@touch $@

run: $(STAMP) ## Run the server
	$(BIN)/sylk-server

chat: $(STAMP) ## Join a room: make chat URI=sip:lobby@127.0.0.1
	@$(BIN)/sylk-chat '$(or $(URI),sip:lobby@127.0.0.1)'

test: $(STAMP) ## Check style, layers and types, then run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# It is slow, so it sees only files that have something for it.
	grep -rl --include='*.py' 'async def' sylk apps tests benchmarks examples | \
		xargs -r $(BIN)/flake8-async --enable=ASYNC101,ASYNC103,ASYNC119
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright
	@# Many tests wait for something, so three at a time keep two cores busy.
	$(BIN)/python -m pytest -n 3 --dist loadfile

# Apart from `test`, because to follow every branch more than doubles what the tests cost.
coverage: $(STAMP) ## Run the tests and show which branches none of them takes
	$(BIN)/python -m pytest -n 3 --dist loadfile --cov --cov-report=term:skip-covered

bench: $(STAMP) ## Measure speed, in about 20 minutes; figures go to build/bench.json
	$(BIN)/python -m benchmarks --json build/bench.json

bench-quick: $(STAMP) ## Measure the most of it, less exactly, in under two minutes
	$(BIN)/python -m benchmarks --quick --json build/bench-quick.json

speed-page: $(STAMP) ## Write docs/speed.md and its plots from build/bench.json, or from FIGURES
	$(BIN)/uv run --frozen --quiet --group bench \
		python -m benchmarks.page $(or $(FIGURES),build/bench.json)

soak: $(STAMP) ## Load the server for long: make soak MINUTES=60; figures go to build/soak.json
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),10) --json build/soak.json

fuzz: $(STAMP) ## Fuzz the readers: make fuzz SECONDS=60, TARGET=cpim for one of them
	PYTHONPATH=apps/conference $(BIN)/uv run --frozen --quiet --group fuzz \
		python -m tests.fuzz --seconds $(or $(SECONDS),60) $(if $(TARGET),--target $(TARGET))

lock: $(STAMP) ## Take the newest releases into uv.lock
	$(BIN)/uv lock --upgrade --default-index https://pypi.org/simple

sample: $(STAMP) ## Write sylk.ini.sample and docs/settings.md anew from the settings
	text=$$($(BIN)/python -m sylk.config) && echo "$$text" > sylk.ini.sample
	text=$$($(BIN)/python -m sylk.settings_page) && echo "$$text" > docs/settings.md

captures: $(STAMP) ## Write docs/captures.md anew: what an operator sees
	text=$$(unshare --net --map-root-user $(BIN)/python -m tests.end_to_end.captures) && \
		echo "$$text" > docs/captures.md

clean: ## Remove .venv and what the checks leave behind
	rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
