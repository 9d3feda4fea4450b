# Garrison. `make serve` starts it, `make test` proves it; both need Python 3.11+ and make, nothing else.

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/python -m uv
ARGS ?=
PYTEST_ARGS ?=
# Two processes take the files of tests in their order: the long ones come first, so that both end at about the same time.
WORKERS ?= -n 2 --dist loadfile --no-loadscope-reorder

# uv compiles nothing of ours and asks no other Python than the environment's own.
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
# The theme announces the plans of its authors at each build; that is no warning about our pages.
export NO_MKDOCS_2_WARNING := 1
# Everything here starts Python again and again, and without kept bytecode each start compiles a thousand modules.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help serve test check bench bench-identity bench-kms bench-waf bench-waf-crs bench-waf-costs fuzz-waf docs format lock clean needs

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.build/uv.stamp: tools/bootstrap.sh
	PYTHON=$(PYTHON) sh tools/bootstrap.sh
	@mkdir -p .build && touch $@

.build/run.stamp: .build/uv.stamp pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --no-default-groups --inexact
	@touch $@

.build/dev.stamp: .build/uv.stamp pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --all-groups --inexact
	@touch $@ .build/run.stamp

serve: .build/run.stamp ## install and start the server (more options: make serve ARGS="--port 4567")
	$(BIN)/garrison serve $(ARGS)

needs: .build/dev.stamp
	sh tools/test_needs.sh
	$(BIN)/python tools/fetch_clients.py || case "$${CI:-}" in 1 | true | yes) exit 1 ;; esac

check: .build/dev.stamp ## the fast half: lock file, lint, types, rooms, house rules, docs
	$(UV) lock --quiet --check
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_house.py
	$(BIN)/mkdocs build --strict --quiet

test: needs ## everything: the fast half, then every test
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest $(WORKERS) $(PYTEST_ARGS)

bench: .build/dev.stamp ## measure beside the peers; prints one table and writes it into the docs
	$(BIN)/python bench/run.py $(ARGS)

bench-identity: .build/dev.stamp ## what a sign-in, a role's credentials and the reports of 10,000 users cost
	$(BIN)/python bench/identity.py $(ARGS)

bench-kms: .build/dev.stamp ## the same for keys, beside OpenBao's transit engine too; takes half an hour
	$(BIN)/python bench/kms_peers.py $(ARGS)

bench-waf: .build/dev.stamp ## how well the firewall detects; CRS=DIR names the regression tests of the OWASP Core Rule Set
	$(BIN)/python bench/waf_sources.py .build/waf
	PYTHONPATH=. $(BIN)/python bench/waf_detection.py --crs "$(CRS)" --sources .build/waf $(ARGS)

bench-waf-crs: .build/dev.stamp ## imported rules beside libmodsecurity; CRS=DIR as above
	PYTHONPATH=. $(BIN)/python bench/waf_crs.py --crs "$(CRS)" $(ARGS)

fuzz-waf: .build/dev.stamp ## fuzz the firewall's engine, guided by coverage, for MINUTES of CPU time (Linux; fetches atheris)
	$(UV) pip install --quiet --target .build/atheris atheris
	PYTHONPATH=.:.build/atheris $(BIN)/python bench/waf_fuzz.py --minutes $(or $(MINUTES),24) $(ARGS)

bench-waf-costs: .build/dev.stamp ## what the firewall costs beside nginx with ModSecurity and the Core Rule Set, both of Debian
	PYTHONPATH=. $(BIN)/python bench/waf_costs.py $(ARGS)

docs: .build/dev.stamp ## build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

format: .build/dev.stamp ## rewrite the code in the house's form
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet

lock: .build/uv.stamp ## bring uv.lock up to pyproject.toml
	$(UV) lock --quiet

clean: ## remove what was built and fetched
	rm -rf .build site dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
