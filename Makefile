# `make demo` and `make test` are all the set-up there is: each makes its own virtual environment in .venv.
#   make demo ARGS=--no-serve      print the audit of the example system, serve no page
#   make test ARGS='-k ladder -x'  some of the tests
#   make test PYTHON=python3.13    with another Python (3.11 or newer)

SHELL := /bin/sh
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help demo test lint format generate bench endurance lock parts clean

PYTHON ?=
ARGS ?=
EXAMPLE := compose/examples/auterity/catalogue.yaml
RUN := .venv/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --no-input
COMPILE := $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade

help:
	@echo 'make demo        audit the example system and serve its status page'
	@echo 'make test        run the tests, with the real components that can be had here'
	@echo 'make lint        ruff and mypy'
	@echo 'make format      let ruff rewrite the sources'
	@echo 'make generate    write rules/, dashboards/, the schemas and the compiled knowledge anew'
	@echo 'make bench       measure, and compare with the goals'
	@echo 'make endurance   the tests that the normal run cuts short'
	@echo 'make parts       fetch the real components for the tests; say which there are'
	@echo 'make lock        choose the newest versions of all dependencies'

demo: .venv/runtime
	@.venv/bin/auditor demo $(ARGS)

# In CI the lint is the first step, and a test that fails is tried once more, with everything that it stands on made
# anew: the real engines and servers share a busy machine there. The end of the run names each that needed it.
test: .venv/development $(if $(CI),lint) parts
	@$(RUN) -m pytest $(if $(CI),--retries 1) $(ARGS)

parts: .venv/development
	@echo 'real components for the tests:'
	@$(RUN) -m tests.parts

lint: .venv/development
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

format: .venv/development
	@$(RUN) -m ruff check --fix-only --quiet .
	@$(RUN) -m ruff format .

generate: .venv/development
	@$(RUN) -c 'from auditor.catalogue import schema_text; print(end=schema_text())' >auditor/catalogue.schema.json.new
	@mv auditor/catalogue.schema.json.new auditor/catalogue.schema.json
	@$(RUN) -m auditor.knowledge.schema >auditor/knowledge.schema.json.new
	@mv auditor/knowledge.schema.json.new auditor/knowledge.schema.json
	@$(RUN) -m auditor.sources.knowledge >auditor/knowledge/compiled.json.new
	@mv auditor/knowledge/compiled.json.new auditor/knowledge/compiled.json
	@.venv/bin/auditor build rules --catalogue $(EXAMPLE) --output rules
	@.venv/bin/auditor build dashboards --catalogue $(EXAMPLE) --output dashboards
	-@$(RUN) -m tests.screenshot

bench: .venv/development
	@$(RUN) -m compileall -q auditor exporters
	@$(RUN) -m bench $(ARGS)

endurance: .venv/development parts
	@$(RUN) -m pytest -m endurance $(ARGS)

lock: .venv/development
	@$(COMPILE) --group build pyproject.toml --output-file requirements.lock
	@$(COMPILE) --group build --group dev --constraints requirements.lock pyproject.toml \
		--output-file requirements-dev.lock

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

# The stamps: an environment is made anew when its interpreter is gone, and filled again when a lock changes.
.venv/runtime: requirements.lock pyproject.toml | .venv/python-works
	@$(call install,requirements.lock)
	@touch $@

.venv/development: requirements-dev.lock pyproject.toml | .venv/python-works
	@$(call install,requirements-dev.lock)
	@touch $@ .venv/runtime

# The package itself is installed as a link to this folder; what that takes is in the lock. It is compiled here, as an
# installed one is: where PYTHONDONTWRITEBYTECODE is set each start would compile it again.
define install
echo 'installing $(1) into .venv' && \
$(PIP) install -qq --require-hashes --no-deps --requirement $(1) && \
$(PIP) install -qq --no-deps --no-build-isolation --no-index --editable . && \
$(RUN) -m compileall -q auditor exporters
endef

ifneq ($(shell .venv/bin/python -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null),True)
.PHONY: .venv/python-works
endif
.venv/python-works:
	@PYTHON='$(PYTHON)' sh .ci/venv.sh .venv
	@touch $@
