# The few commands of the house; each makes the environment if it is missing.
PYTHON ?= python3
BIN := .venv/bin
INFERENCE := src/servery/gateway/inference
TEST_THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: up install dev test fuzz check format protos docs demo chaos bench bench-serving bench-fields clean

up: .venv/.installed ## install and start the server with its starter models
	$(BIN)/servery up

install: .venv/.installed ## make .venv and install Servery into it

dev: .venv/.installed-dev

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[onnx,grpc]'
	touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# The outside clients pin old versions of what we build on, so they live apart; tests/outside runs them there.
.venv-clients/.installed: tests/outside/requirements.txt
	test -x .venv-clients/bin/python || $(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --requirement tests/outside/requirements.txt
	touch $@

test: .venv/.installed-dev .venv-clients/.installed ## all tests but the marked ones
	$(TEST_THREADS) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not chaos and not slow"

# atheris is a hundred megabytes that nothing else needs, so it lies apart.
.venv-fuzz/.installed:
	$(BIN)/python -m pip install --quiet --target .venv-fuzz atheris==3.0.0
	touch $@

fuzz: .venv/.installed-dev .venv-clients/.installed .venv-fuzz/.installed ## an hour of spoilt input: 20,000 cases of the API, and atheris on every decoder
	seed=$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ') && echo "SERVERY_FUZZ_SEED=$$seed" && \
	$(TEST_THREADS) SERVERY_FUZZ_SEED=$$seed SERVERY_FUZZ_CASES=20000 SERVERY_JUDGE_SECONDS=7200 \
		$(BIN)/python -m pytest -k schemathesis tests/outside
	$(TEST_THREADS) SERVERY_FUZZ_EXAMPLES=5000 $(BIN)/python -m pytest tests/fuzz
	$(TEST_THREADS) PYTHONPATH=.venv-fuzz $(BIN)/python tests/fuzz/program.py $(or $(SECONDS),60)

check: .venv/.installed-dev ## style, types, arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chaos: .venv/.installed-dev ## the long kill -9 tests
	$(TEST_THREADS) $(BIN)/python -m pytest -m chaos

protos: .venv/.installed-dev ## the description of gRPC's messages, from its source
	$(BIN)/python -m grpc_tools.protoc --proto_path $(INFERENCE) --descriptor_set_out $(INFERENCE)/inference.binpb inference.proto

docs: .venv/.installed-dev ## the pages made from the code
	$(BIN)/python docs/generate.py

demo: .venv/.installed ## from data to an answer in a minute, in a throw-away data home
	$(BIN)/python examples/quickstart.py

bench: .venv/.installed-dev ## the benchmarks; the recipes' curves need SERVERY_DATA
	$(TEST_THREADS) $(BIN)/python benchmarks/training/overhead.py
	$(TEST_THREADS) $(BIN)/python benchmarks/serving/hot_swap.py
	test -z "$$SERVERY_DATA" || $(BIN)/python benchmarks/recipes/curves.py

bench-serving: .venv/.installed-dev ## Servery beside its peers; half an hour on a machine that does nothing else
	$(BIN)/python benchmarks/serving/install.py
	$(BIN)/python benchmarks/serving/compare.py
	$(BIN)/python benchmarks/serving/start.py
	$(BIN)/python benchmarks/serving/overload.py --model heavy
	$(BIN)/python benchmarks/serving/overload.py --model encoder
	$(BIN)/python benchmarks/serving/slow_clients.py
	$(BIN)/python benchmarks/serving/blocked.py

bench-fields: .venv/.installed-dev ## every bar of a field, trained and measured: make bench-fields FIELD=speech-recognition
	$(BIN)/python benchmarks/fields/run.py $(if $(FIELD),--field $(FIELD))

clean:
	rm -rf .venv .venv-clients .venv-fuzz build dist .mypy_cache .ruff_cache .pytest_cache
