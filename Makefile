# Modelberth. Three commands matter: `make demo`, `make demo-training` and `make test`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
LOCALKIND := tests/localkind/localkind
IMAGES := .cache/images

# Processes of one test run: one waits for real pods most of the time, the other computes.
JOBS ?= 2

# The real kind where a Docker engine answers, else the one of this repository, which needs root and Linux.
KIND ?= $(shell if command -v kind >/dev/null && docker version >/dev/null 2>&1; then command -v kind; else echo $(CURDIR)/$(LOCALKIND); fi)
TOOLS = $(shell $(LOCALKIND) path)

.PHONY: help
help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: demo
demo: setup ## a cluster, two models, an alias that moves under load (3 minutes; 15 more the first time)
	@PYTHONPATH=operator $(BIN)/python -m demo

.PHONY: demo-training
demo-training: setup ## the same cluster: data that trains versions, and every question about them (4 minutes)
	@PYTHONPATH=operator $(BIN)/python -m demo training

.PHONY: demo-down
demo-down: setup ## remove what the demos made (seconds)
	@PYTHONPATH=operator $(BIN)/python -m demo down

.PHONY: test
test: lint test-only ## everything that is checked: lint, then one pytest run over all tiers (20 minutes on 2 cores)

# The last line is pytest's summary: nothing may follow it.
.PHONY: test-only
test-only: setup build
	@echo "test: real pods beside simulation, cluster and unit, in one run of pytest"
	@$(BIN)/pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder --kind-bin "$(KIND)" --kind-kubectl-bin "$(TOOLS)/kubectl" $(PYTEST)

.PHONY: lint
lint: setup build-helm ## formats, types, layers, drift of generated files, chart, shell scripts (a minute)
	@echo "lint: ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@echo "lint: mypy"
	@$(BIN)/mypy --no-error-summary
	@MYPYPATH=operator:. $(BIN)/mypy --no-error-summary --strict -p demo
	@echo "lint: layers"
	@$(BIN)/lint-imports >$(VENV)/.layers || { cat $(VENV)/.layers; exit 1; }
	@echo "lint: definitions and their copy in the chart are as generated"
	@$(BIN)/python -m modelberth.api.generate --check
	@echo "lint: chart"
	@$(TOOLS)/helm lint --strict --quiet charts/modelberth --set s3.endpoint=https://store.example.org
	@$(TOOLS)/helm lint --strict --quiet charts/modelberth --set minio.enabled=true
	@echo "lint: shell"
	@shellcheck .ci/run

.PHONY: build
build: ## the programs of the test cluster, from pinned Go modules (11 minutes once, then cached)
	@$(LOCALKIND) build >/dev/null

.PHONY: build-helm
build-helm:
	@$(LOCALKIND) build helm kubectl >/dev/null

.PHONY: images
images: ## the images, as archives in .cache/images (4 minutes once, then cached)
	@$(LOCALKIND) build minio >/dev/null
	@tests/localkind/images.py build localhost/modelberth:0.1.0 --file images/modelberth/Dockerfile --context . --output $(IMAGES)/modelberth.tar
	@tests/localkind/images.py build localhost/mlserver:1.7.1 --file images/mlserver/Dockerfile --context . --output $(IMAGES)/mlserver.tar
	@tests/localkind/images.py build localhost/minio:2026-02-12 --file images/minio/Dockerfile --context "$(dir $(realpath $(TOOLS)/minio))" --output $(IMAGES)/minio.tar
	@ls -lh $(IMAGES)/*.tar

.PHONY: cluster
cluster: build ## an empty cluster to try things in, named modelberth (15 seconds)
	@"$(KIND)" create cluster --name modelberth --kubeconfig .cache/kubeconfig
	@echo 'export KUBECONFIG=$(CURDIR)/.cache/kubeconfig PATH=$(TOOLS):$$PATH'
	@echo 'To remove it: $(KIND) delete cluster --name modelberth'

SCHEDULES ?= 100000
SEED ?= $(shell date +%s)
.PHONY: soak
soak: setup ## many random schedules in the simulator (SCHEDULES=100000 SEED=now; hours)
	@$(BIN)/python -m tests.simulation.soak --schedules $(SCHEDULES) --seed $(SEED)

.PHONY: bench
bench: setup build ## the benchmarks; tables go into tests/bench/README.md (30 minutes)
	@$(BIN)/python -m tests.bench

.PHONY: setup
setup: $(VENV)/.complete ## the Python environment, pinned by hash (a minute once)
	@:

$(VENV)/.complete: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.13 ...")'
	@echo "setup: the Python environment from requirements/dev.txt (a minute once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

COMPILE = $(UV) pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate --only-binary :all:
.PHONY: lock
lock: ## pin the newest allowed dependencies again, with hashes (needs uv; a minute)
	@$(COMPILE) --python-version 3.11 --extra operator --extra registry --extra dev pyproject.toml -o requirements/dev.txt
	@$(COMPILE) --python-version 3.13 --extra operator --extra registry -c requirements/dev.txt pyproject.toml -o requirements/image.txt
	@$(COMPILE) --python-version 3.11 requirements/mlserver.in -o requirements/mlserver.txt
	@$(COMPILE) --python-version 3.11 -c requirements/mlserver.txt requirements/demo.in -o requirements/demo.txt
