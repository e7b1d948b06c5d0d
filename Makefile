# `make help` lists what there is. Everything below sets itself up first; nothing has to be installed by hand.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := tests
# What mypy knows holds for any checkout.
export MYPY_CACHE_DIR := $(or $(TERRACE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/terrace)/mypy
KERNEL ?= newest
PARALLEL := -n 2 --dist worksteal
# Tests with an API server mostly wait, and those without fill the time; each worker has a control plane of its own, which
# takes 1 GiB.
WAITING := -n 6 --dist worksteal
ENDED = artifacts/$@-ended.txt
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# It does not outlive a move of the tree (its programs name their interpreter) nor another version of Python.
MADE_FOR = $(CURDIR) $(shell [ ! -x $(VENV)/bin/python ] || $(VENV)/bin/python -V)
ifneq ($(shell cat $(VENV)/ready 2>/dev/null),$(MADE_FOR))
$(VENV)/ready: outdated
endif
.PHONY: outdated
outdated:

$(VENV)/ready: deploy/locks/dev.txt pyproject.toml
	@bash tests/testbed/packages.sh python
	@echo "python: creating $(VENV) from the locked dependencies (about 1 min)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/locks/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo "$(CURDIR) $$($(VENV)/bin/python -V)" > $@

.PHONY: venv
venv: $(VENV)/ready ## Python environment from the lock file

# The control plane, the guests and the images need mount namespaces, chroots and device nodes.
.PHONY: root
root:
	@[ "$$(id -u)" = 0 ] || { echo "make $(MAKECMDGOALS) must run as root" >&2; exit 1; }

.PHONY: needs-test needs-demo
needs-test needs-demo: needs-%: root
	@bash tests/testbed/needs.sh $*

.PHONY: packages
packages: ## Debian packages that the testbed needs
	@bash tests/testbed/packages.sh all

.PHONY: lint
lint: $(VENV)/ready ## Format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy api agent operator kubectl tests
	$(BIN)/lint-imports

.PHONY: check
check: lint ## The fast loop: `make lint`, unit and golden tests
	$(BIN)/pytest -q $(PARALLEL) -m "not cluster and not kernel and not e2e"

.PHONY: test
test: root needs-test $(VENV)/ready ## Sets everything up and passes all tests: fast ones, a real API server, real kernels and nodes
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory packages
	@$(BIN)/python -m testbed prepare --kernel newest --kernel 6.1
	$(BIN)/pytest -q --durations=15 $(WAITING) -m "not kernel and not e2e"
	@$(MAKE) --no-print-directory test-guests

.PHONY: test-kernels
test-kernels: root $(VENV)/ready packages ## The tests on real kernels, on every kernel of tests/testbed/kernels.py that has DAMON's migration
	@$(BIN)/python -m testbed prepare --kernel newest --kernel 6.12-idle
	@failed=0; \
	for tests in kernel "matrix and not kernel"; do \
	  $(BIN)/pytest -m "$$tests" --kernels all || case $$? in 2) exit 2 ;; *) failed=1 ;; esac; \
	done; \
	exit $$failed

.PHONY: test-guests
test-guests: root $(VENV)/ready packages ## The tests on real kernels and nodes in QEMU, on the newest kernel; give them the machine for themselves
	@$(MAKE) --no-print-directory guests-kernel
	@$(MAKE) --no-print-directory guests-e2e

# One after the other, and nothing beside them: side by side on two cores emulated guests take more than twice the time,
# and tests fail for want of it. pytest ends with 10 when all that failed did because a guest ended, see
# tests/testbed/once_more.py.
.PHONY: guests-kernel guests-e2e
guests-kernel guests-e2e: guests-%:
	$(BIN)/pytest -v --durations=15 --guests-ended $(ENDED) -m "$* and not matrix" || { code=$$?; [ $$code = 10 ] || exit $$code; \
	  mv $(ENDED) $(ENDED).first || exit; \
	  echo "$@: guests ended: emulated, a kernel panics now and then (int3 in patched code). Once more what failed by it:"; \
	  $(BIN)/pytest -v --guests-ended $(ENDED) @$(ENDED).first || exit; \
	  echo "$@: PASSED ONLY AT THE SECOND TRY; what was left by the first is in artifacts/:"; cat $(ENDED).first; }

.PHONY: demo
demo: root needs-demo $(VENV)/ready packages ## The main job on real parts; KERNEL=6.1 chooses a kernel, KEEP=1 leaves the cluster up, RUNS=3 repeats it
	@$(BIN)/python -m demo --kernel $(KERNEL) $(if $(KEEP),--keep) $(if $(RUNS),--runs $(RUNS))

.PHONY: bench-latency
bench-latency: root $(VENV)/ready packages ## Time from apply to state=on, and from agent start to Ready with a policy in force, by step
	@$(BIN)/python -m bench.latency --kernel $(KERNEL)

.PHONY: bench-agent
bench-agent: root $(VENV)/ready packages ## What the agent costs: its pod over 10 minutes of tiering by the kubelet's account, a process at rest
	@$(BIN)/python -m bench.agent --kernel $(KERNEL)

.PHONY: bench-fleet
bench-fleet: root $(VENV)/ready packages ## What the operator costs for 100, 1000 and 5000 nodes; NODES="100 20000" for others
	@$(BIN)/python -m bench.fleet $(if $(NODES),--nodes $(NODES))

.PHONY: bench-placement
bench-placement: root $(VENV)/ready packages ## Terrace beside what people use today; WORKLOADS="swap drift" CONTESTANTS="terrace numa" ROUNDS=1 run a part, RECORD=1 keeps it for docs/placement.md, RECORD=more beside what is there
	@$(BIN)/python -m bench.placement --kernel $(KERNEL) $(if $(WORKLOADS),--workloads $(WORKLOADS)) \
	  $(if $(CONTESTANTS),--contestants $(CONTESTANTS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(RECORD),--record $(if $(filter more,$(RECORD)),more,anew))

.PHONY: cluster
cluster: root $(VENV)/ready packages ## A real control plane on loopback, for work by hand
	@$(BIN)/python -m testbed cluster

.PHONY: node
node: root $(VENV)/ready packages ## A node with a fast and a slow NUMA node, joined to `make cluster`; NAME=second for one more
	@$(BIN)/python -m testbed node --kernel $(KERNEL) $(if $(NAME),--name $(NAME))

.PHONY: down
down: $(VENV)/ready ## Ends what `make cluster`, `make node` and `make demo KEEP=1` started
	@$(BIN)/python -m testbed down

.PHONY: generate
generate: $(VENV)/ready ## Writes what is derived: from the CRDs, and the pages about fields, kernels and placement
	$(BIN)/python api/generate.py
	$(BIN)/python api/reference.py
	$(BIN)/python -m contract.page
	$(BIN)/python -m bench.placement.page

.PHONY: lock
lock: ## Resolves the lock files anew (needs uv)
	$(LOCK) --extra agent -o deploy/locks/agent.txt
	$(LOCK) --extra operator -o deploy/locks/operator.txt
	$(LOCK) --extra kubectl -o deploy/locks/kubectl.txt
	$(LOCK) --extra agent --extra operator --extra kubectl --group dev -o deploy/locks/dev.txt

.PHONY: images
images: ## Both images with docker or podman: make images REGISTRY=registry.example.org/team TAG=0.1.0
	for target in agent operator; do \
	  $(if $(shell command -v docker),docker,podman) build --target $$target -t $(if $(REGISTRY),$(REGISTRY)/)terrace-$$target:$(or $(TAG),0.1.0) . || exit 1; \
	done

KREW := artifacts/krew
RELEASES ?= https://releases.example.org/terrace
OS := $(shell uname -s | tr A-Z a-z)
ARCH := $(subst x86_64,amd64,$(subst aarch64,arm64,$(shell uname -m)))
ARCHIVE := artifacts/kubectl-terrace-$(OS)-$(ARCH).tar.gz

.PHONY: krew
krew: $(VENV)/ready ## Archive and manifest of the kubectl plugin for krew, for this platform: make krew RELEASES=URL
	rm -rf $(KREW) && mkdir -p $(KREW)/lib
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary=:all: \
	  --target $(KREW)/lib -r deploy/locks/kubectl.txt
	cp -r api/terrace_api operator/terrace_operator kubectl/terrace_kubectl $(KREW)/lib/
	cp deploy/krew/kubectl-terrace LICENSE $(KREW)/
	tar -czf $(ARCHIVE) -C $(KREW) --exclude=__pycache__ .
	sed -e "s|@RELEASES@|$(RELEASES)|; s|@OS@|$(OS)|g; s|@ARCH@|$(ARCH)|g" \
	  -e "s|@VERSION@|$$($(BIN)/python -c 'import terrace_api; print(terrace_api.__version__)')|g" \
	  -e "s|@PYTHON@|$$($(BIN)/python -c 'import sys; print("Python %d.%d" % sys.version_info[:2])')|" \
	  -e "s|@SHA256@|$$(sha256sum $(ARCHIVE) | cut -d' ' -f1)|" \
	  deploy/krew/terrace.yaml.template > artifacts/terrace.yaml

.PHONY: clean
clean: ## Removes what was made in the tree; the caches outside it stay
	rm -rf $(VENV) artifacts .pytest_cache .ruff_cache .import_linter_cache .hypothesis
