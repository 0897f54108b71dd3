# Every target brings what it needs: `make demo` and `make test` work on a fresh Debian 12.
PRESET ?= release
JOBS ?= $(shell nproc)
DEPS := $(if $(MILLRACE_DEPS),$(MILLRACE_DEPS),$(HOME)/.cache/millrace/deps)
PY := $(DEPS)/venv/bin/python
BIN := build/$(PRESET)/bin/millrace

.PHONY: deps postgres-versions configure build build-tests demo test bench soak peer sanitize format clean

deps:            ## system packages, Arrow, DuckDB and the Python environment; nothing when they are there
	@scripts/deps.sh

postgres-versions: deps ## PostgreSQL 14, 16, 17 and 18 for the tests; nothing when they are there
	@scripts/postgres_versions.sh

configure: deps
	@test -e build/$(PRESET)/build.ninja || cmake --preset $(PRESET) > /dev/null

build: configure ## the millrace binary alone
	@cmake --build --preset $(PRESET) -j $(JOBS) --target millrace

build-tests: configure
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: build      ## a real PostgreSQL with real retail data, the whole pipeline, Gold's numbers
	@$(PY) scripts/demo.py --bin $(BIN)

test: build-tests postgres-versions ## every test: units, scenarios against a real PostgreSQL, crashes, other readers
	@ctest --test-dir build/$(PRESET) --output-on-failure -j $(JOBS)
	@$(PY) -m pytest -q tests --bin $(BIN)

bench: build     ## speed and memory side by side with the peers
	@$(PY) bench/run.py --bin $(BIN)

soak: build postgres-versions ## long runs: kills at random times and random values, many seeds of each
	@$(PY) -m pytest -q tests/crash tests/pgtypes tests/tables --bin $(BIN) --seeds 200

peer: build      ## beside the real Debezium in the real Kafka Connect, which scripts/peers.sh brings
	@scripts/peers.sh
	@$(PY) -m pytest -q tests/peer --bin $(BIN)

sanitize: deps   ## the unit tests under the address, undefined-behaviour and thread sanitizers
	@for p in asan tsan; do cmake --preset $$p > /dev/null && cmake --build --preset $$p -j $(JOBS) && \
	  ctest --test-dir build/$$p --output-on-failure -j $(JOBS) || exit 1; done

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format -i

clean:
	rm -rf build
