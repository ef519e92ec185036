# Every target makes what it needs: on a fresh Debian or Ubuntu with Python 3.11, `make demo` and `make test` are enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
ROOMS := contract edge hub models
READY := $(VENV)/.ready

.PHONY: help demo test lint format bench bench-hub bench-peer audit chaos rollout image image-test compose-test schema models lock pictures release clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(READY): requirements.lock pyproject.toml $(ROOMS:%=%/pyproject.toml)
	@sh tools/make-venv.sh "$(PYTHON)" $(VENV)
	@echo "Installing into $(VENV) (once; a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(ROOMS:%=-e %) -e .
	@touch $@

demo: $(READY) ## Play one street corner on this machine (ONCE=1: to the end, without a browser)
	$(BIN)/parvis demo $(if $(ONCE),--once)

test: $(READY) lint ## Check the style, the types and the layers, then run the tests
	$(BIN)/python -m pytest -n 3 --dist loadfile # three at once: they wait for streams, browsers and brokers more than they compute

lint: $(READY) ## Check the style, the types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Put the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure speed and memory against the bare parts
	$(BIN)/python -m tests.bench

bench-hub: $(READY) ## Score the hub on simulated cities, and measure its speed for 10 to 10,000 units
	$(BIN)/python -m tests.hub.city
	$(BIN)/python -m tests.hub.second_city
	$(BIN)/python -m tests.bench hub

bench-peer: $(READY) ## Measure a camera's sense beside another project's pipeline (fetches it into .cache, once)
	$(BIN)/python -m tests.bench peer

bench-senses: $(READY) ## Measure what each sense finds, misses and makes up (QUICK=1: a share of it; WRITE=1: into docs/performance.md)
	$(BIN)/python -m tests.bench.senses $(if $(QUICK),--quick) $(if $(WRITE),--write)

chaos: $(READY) ## Kill unit, hub and broker 50 times at random instants: nothing may be lost
	$(BIN)/python -m tests.chaos --kills 50

rollout: $(READY) ## Bring good and bad versions and site plans to real units, kill them meanwhile, fill their disk: 20 minutes
	$(BIN)/python -m tests.rollout

schema: $(READY) ## Write the JSON Schemas and the AsyncAPI document again
	$(BIN)/parvis-contract generate contract/generated --page docs/contract.md

models: $(READY) ## Build both models again from their pinned sources, and measure them (an hour of network and patience)
	$(BIN)/parvis-models build && $(BIN)/parvis-models evaluate --write

image: $(READY) ## Build the image of a card, for Raspberry Pi and for UEFI, into .parvis/image (as root; says what it needs)
	$(BIN)/parvis-deploy image

image-test: $(READY) ## Try a card in an emulated machine beside a real hub: first event, updates, power cuts, a full disk (as root; an hour; needs the generic image and qemu-system-arm)
	$(BIN)/python -m tests.image --image "$$(ls -t .parvis/image/parvis-generic-*.img.zst | head -1)"

compose-test: $(READY) ## Run the hub in containers as its page says, with a unit, and throw it away again (needs Docker with Compose)
	$(BIN)/python -m tests.compose

pictures: $(READY) ## Take the pictures of the screens in docs/pictures again (needs chromium)
	$(BIN)/python -m tests.pictures

release: $(READY) ## Build the wheels twice (they must be the same), with their bills of materials and checksums, into dist/
	$(BIN)/python -m tools.release build && $(BIN)/python -m tools.release compare

audit: $(READY) ## Ask PyPI whether anything of requirements.lock has a known vulnerability (ADVISORIES=all.zip: ask OSV's archive instead); fails if so, or if it cannot ask
ifdef ADVISORIES
	$(BIN)/python -m tools.release audit --advisories "$(ADVISORIES)"
else
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock || { \
	  echo "Found above, or not asked. Where the index of packages has no advisories, fetch OSV's archive for PyPI (osv.dev, PyPI/all.zip) and: make audit ADVISORIES=all.zip" >&2; exit 1; }
endif

lock: $(READY) ## Pin the packages of requirements.in again (needs uv)
	uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock requirements.in

clean: ## Remove all that was made
	rm -rf $(VENV) .cache .parvis .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache models/build
