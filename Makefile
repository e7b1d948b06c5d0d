# `make help` lists what there is. Everything below sets itself up first; nothing has to be installed by hand.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := tests
KERNEL ?= newest
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/ready: deploy/locks/dev.txt pyproject.toml
	@bash tests/testbed/packages.sh python
	@echo "python: creating $(VENV) from the locked dependencies (about 1 min)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/locks/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: venv
venv: $(VENV)/ready ## Python environment from the lock file

.PHONY: packages
packages: ## Debian packages that the testbed needs
	@bash tests/testbed/packages.sh all

.PHONY: check
check: $(VENV)/ready ## The fast loop: format, lint, types, import contracts, unit and golden tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy api agent operator tests
	$(BIN)/lint-imports
	$(BIN)/pytest -q -m "not cluster and not kernel and not e2e"

.PHONY: test
test: $(VENV)/ready ## Sets everything up and passes all tests: fast ones, a real API server, real kernels and nodes
	@echo "make test: needs root or sudo, 6 GiB of free memory, 15 GiB of disk, a Debian mirror, PyPI and a Go module proxy."
	@echo "make test: about 40 min the first time (a control plane is compiled), 15 min after that."
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory packages
	@$(BIN)/python -m testbed prepare --kernel newest --kernel 6.1
	$(BIN)/pytest -v -m "cluster or kernel or e2e"

.PHONY: demo
demo: $(VENV)/ready packages ## The main job on real parts; KERNEL=6.1 chooses a kernel, KEEP=1 leaves the cluster up
	@$(BIN)/python -m demo --kernel $(KERNEL) $(if $(KEEP),--keep)

.PHONY: bench-latency
bench-latency: $(VENV)/ready packages ## Time from apply to state=on and from agent start to Ready, by step
	@$(BIN)/python -m bench.latency --kernel $(KERNEL)

.PHONY: bench-fleet
bench-fleet: $(VENV)/ready packages ## What the operator costs for 100, 1000 and 5000 nodes; NODES="100 20000" for others
	@$(BIN)/python -m bench.fleet $(if $(NODES),--nodes $(NODES))

.PHONY: cluster
cluster: $(VENV)/ready packages ## A real control plane on loopback, for work by hand
	@$(BIN)/python -m testbed cluster

.PHONY: node
node: $(VENV)/ready packages ## A node with a fast and a slow NUMA node, joined to `make cluster`
	@$(BIN)/python -m testbed node --kernel $(KERNEL)

.PHONY: down
down: $(VENV)/ready ## Ends what `make cluster` and `make node` started
	@$(BIN)/python -m testbed down

.PHONY: generate
generate: $(VENV)/ready ## Writes what is derived from the CRDs
	$(BIN)/python api/generate.py

.PHONY: lock
lock: ## Resolves the lock files anew (needs uv)
	$(LOCK) --extra agent -o deploy/locks/agent.txt
	$(LOCK) --extra operator -o deploy/locks/operator.txt
	$(LOCK) --extra agent --extra operator --group dev -o deploy/locks/dev.txt

.PHONY: images
images: ## Both images with docker or podman: make images REGISTRY=registry.example.org/team TAG=0.1.0
	for target in agent operator; do \
	  $(if $(shell command -v docker),docker,podman) build --target $$target -t $(if $(REGISTRY),$(REGISTRY)/)terrace-$$target:$(or $(TAG),0.1.0) . || exit 1; \
	done

.PHONY: clean
clean: ## Removes what was made in the tree; the caches outside it stay
	rm -rf $(VENV) artifacts .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
