# make reproduce   set up, then make everything: data, tokens, runs, results, reports
# make test        set up, then unit tests and the smoke-size DAG
# make test-all    these, and the slow ones: steps at full width, DVC round trips, power cuts, full disks
# make lint        style of Python and Snakemake code
# make venv        only set up: .venv, from the locks in envs/
# PYTHON=/path/to/python3.11 chooses the interpreter, CORES=4 the number of cores, CONFIG=config/smoke.yaml an overlay.

PYTHON ?= python3.11
CORES ?= all
CONFIG ?=
LOCKS := envs/requirements-torch.lock envs/requirements.lock envs/requirements-dev.lock
BIN := .venv/bin
STAMP := .venv/locks.sha256
SHELL := /bin/bash
export OMP_NUM_THREADS ?= 1

.PHONY: venv reproduce test test-all lint
.NOTPARALLEL:

# Set up again when a lock or the package's metadata changed, the folder was copied or moved (its programs name it), or
# the last set-up did not finish.
venv:
	@wanted="$$(cat $(LOCKS) pyproject.toml | $(PYTHON) -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())') $(CURDIR)" || exit 1; \
	if [ "$$(cat $(STAMP) 2>/dev/null)" = "$$wanted" ]; then exit 0; fi; \
	set -e; \
	rm -f $(STAMP); \
	grep -qsF -- " $(CURDIR)/.venv" .venv/pyvenv.cfg || { rm -rf .venv; $(PYTHON) -m venv .venv; }; \
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps -r envs/requirements-torch.lock; \
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps -r envs/requirements.lock -r envs/requirements-dev.lock; \
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .; \
	$(BIN)/python -m pip check; \
	echo "$$wanted" > $(STAMP)

reproduce: venv
	$(BIN)/compactvl config check $(if $(CONFIG),--configfile $(CONFIG))
	$(BIN)/snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG))

test: venv
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not e2e and not slow"
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "e2e and not slow"

test-all: venv
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not e2e"
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m e2e

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint
