# The only list of commands: developers, hooks and .ci/run call it. `make` alone explains it.
#
# Nothing here needs root, and nothing is written outside this folder and the cargo cache: Python packages go to .venv.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

# bench (its own, in the process), mosquitto (started for the run), or host:port of any other. Empty: what the rig says, and
# for virtual slots that is bench.
BROKER ?=
# virtual: one virtual slot per document. Or virtual:<dialect>, or a rig file.
RIG ?= virtual
# Further words for pytest (make hil, make test), for the benchmarks (make bench) or the conformance suite (make conformance).
ARGS ?=
# Where make conformance writes report.html and results.json. Empty: nowhere.
REPORT ?=
PYTHON ?= python3

COMMA := ,
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.modemrig
RUST_SOURCES = $(shell find src -name '*.rs' -o -name '*.toml' 2>/dev/null)
# pip must never ask, and its news are not ours.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help
help: ## this list
	@echo "modemrig: make TARGET"
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'
	@echo
	@echo "  BROKER=bench|mosquitto|host:port   which broker the suites use (now: $(or $(BROKER),what the rig says; bench if virtual))"
	@echo "  RIG=virtual|virtual:ID|FILE        which rig (now: $(RIG))"
	@echo "  ARGS='-k 5.1 -x'                   further arguments for pytest, the benchmarks, or 'modemrig conformance'"
	@echo "  REPORT=out                         where 'make conformance' writes its report"

.PHONY: hil
hil: $(STAMP)-package ## run the hardware-in-the-loop suite on RIG with BROKER
	@echo "==> hardware-in-the-loop suite: rig $(RIG)$(if $(BROKER),$(COMMA) broker $(BROKER))"
	@$(BIN)/modemrig hil --rig '$(RIG)' $(if $(BROKER),--broker '$(BROKER)') -- $(ARGS)

.PHONY: conformance
conformance: $(STAMP)-package ## hold every module on RIG against its document, fact by fact
	@echo "==> conformance suite: rig $(RIG)$(if $(BROKER),$(COMMA) broker $(BROKER))"
	@$(BIN)/modemrig conformance --rig '$(RIG)' $(if $(BROKER),--broker '$(BROKER)') $(if $(REPORT),--report '$(REPORT)') $(ARGS)

.PHONY: test
test: test-rust test-python ## run all Rust and Python tests
	@echo "==> all tests passed"

.PHONY: test-rust
test-rust: ## run the Rust tests (no Python needed)
	@echo "==> Rust tests"
	@cargo test --locked --no-run
	@cargo test --locked --quiet

.PHONY: test-python
test-python: $(STAMP)-package ## run the Python tests
	@echo "==> Python tests"
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: check
check: $(STAMP)-package ## the quick half of the tests: format, lints, types
	@echo "==> format and lints of Rust"
	@cargo fmt --check
	@cargo clippy --locked --quiet --all-targets --features python -- -D warnings
	@echo "==> lints, format and types of Python"
	@$(BIN)/ruff check python tests/python
	@$(BIN)/ruff format --check python tests/python
	@$(BIN)/mypy

.PHONY: field-page
field-page: ## write docs/field.md anew from tests/data/field.toml
	@echo "==> docs/field.md"
	@MODEMRIG_WRITE=1 cargo test --locked --quiet --test integration -- field_table::the_page

.PHONY: wheel
wheel: $(STAMP)-tools ## build the wheel into dist/ and state its glibc floor
	@echo "==> release wheel (a first build takes some minutes)"
	@rm -rf dist
	@$(BIN)/maturin build --release --locked --auditwheel check --out dist
	@$(BIN)/python tests/python/wheel_floor.py dist

.PHONY: bench
bench: $(STAMP)-package ## compare with a bare loop and with pyserial: ratios, in one run
	@echo "==> the floor: a bare loop in Rust"
	@cargo build --locked --release --example bench_floor
	@floor="$$(cargo metadata --locked --format-version 1 --no-deps | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/examples/bench_floor"; \
	echo "==> benchmarks"; $(BIN)/python tests/bench/run.py --floor "$$floor" $(ARGS)

.PHONY: package
package: $(STAMP)-package ## build the package and install it into .venv

.PHONY: clean
clean: ## remove what make made here (not the cargo cache)
	@echo "==> removing .venv and dist"
	@rm -rf $(VENV) dist python/modemrig/_native*.so

# The private environment. Each stamp is a file in it, so a second run has nothing to do.
$(STAMP)-tools: pyproject.toml
	@echo "==> private Python environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("modemrig needs Python 3.11 or later; say which: make PYTHON=python3.12")'
	@command -v cargo >/dev/null || { echo "modemrig needs Rust 1.95 or later: https://rustup.rs" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet 'maturin>=1.9.4,<2'
	@touch $@

$(STAMP)-package: $(STAMP)-tools Cargo.toml Cargo.lock $(RUST_SOURCES)
	@echo "==> building modemrig and installing it into $(VENV) (a first build takes some minutes)"
	@VIRTUAL_ENV="$$PWD/$(VENV)" $(BIN)/maturin develop --release --locked --extras hil,dev
	@touch $@
