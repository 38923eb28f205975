# Everything a person or CI runs. The first use sets up `.venv` by itself; needs Python 3.11+, make and git.
# `CDI_PYTHON=/path/to/python` chooses the interpreter, `CDI_SETUP=pip` sets up without uv, `ARGS=...` goes to the command.

SHELL = /bin/sh
.NOTPARALLEL:
.PHONY: help demo test crash soak proof lint format types bench record docs lock wheel clean

VENV = .venv
PYTHON = $(VENV)/bin/python
READY = $(VENV)/.installed
CORES = $$($(PYTHON) -c 'import os; print(2 if (os.cpu_count() or 1) > 1 else 0)')
WORKERS = $(CORES)
ARGS =

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '%-8s %s\n' "$$name" "$$text"; done

$(READY): pyproject.toml requirements.lock scripts/setup scripts/find-python
	@sh scripts/setup "$(VENV)"

demo: $(READY) ## backfill 5,000 orders from the sandbox, with nothing to configure
	@$(PYTHON) -m cdi_cli demo $(ARGS)

test: $(READY) ## all tests but the full kill sweep, the soak and the proof (WORKERS=n: in n processes)
	@$(PYTHON) -m pytest -n "$(WORKERS)" $(ARGS)

crash: $(READY) ## kill -9 at every settle and send of a small job, and count what was lost
	@$(PYTHON) -m pytest -m sweep -rP -p no:randomly $(ARGS)

soak: $(READY) ## ten minutes of a simulated life of syncs, kills, faults and overlaps (CDI_SEED=n lives it again)
	@CDI_SOAK_FIGURES="$${CDI_SOAK_FIGURES:-RELIABILITY.md}" $(PYTHON) -m pytest tests/soak -m soak -s -q -p no:randomly $(ARGS)

proof: $(READY) ## 5,000 orders into Segment, mParticle and Insider, also among kills and faults, and read back (CDI_SEED=n)
	@$(PYTHON) -m pytest tests/proof -m proof -s -q -p no:randomly $(ARGS)

lint: $(READY) ## ruff: rules and format
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

format: $(READY) ## let ruff rewrite what it can
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

types: $(READY) ## mypy, strict
	@$(PYTHON) -m mypy

bench: $(READY) ## CPU per order, events/s, memory and start-up time, each beside its floor
	@$(PYTHON) -m benchmarks $(ARGS)

record: $(READY) ## record a connector's cassettes anew from a real account (SOURCE=commercetools)
	@test -n "$(SOURCE)" || { echo 'error: name the connector: make record SOURCE=commercetools' >&2; exit 2; }
	@PYTHONPATH=tests $(PYTHON) -m recording "$(SOURCE)" $(ARGS)
	@$(PYTHON) -m pytest tests/contract -k cassette -q

docs: $(READY) ## write docs/cli.md and the tables of README.md anew
	@$(PYTHON) scripts/docs.py

lock: ## resolve the dependencies anew into uv.lock and requirements.lock (needs uv)
	@sh scripts/lock

wheel: $(READY) ## build the source archive, and the wheel from it, into dist/
	@rm -rf dist
	@$(PYTHON) -m build

clean: ## remove what builds and tests leave behind; `.venv` and checkpoint files stay
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find cdi_cli tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
