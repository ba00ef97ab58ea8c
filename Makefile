# What one does here. `make help` lists it.
SHELL   := /bin/bash
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo development)

# The binary carries no debugger's tables, and outside the hot path nothing is
# inlined: on two cores that takes a cold build from 98 to 55 seconds, and the
# node's speed is made in the packages that are exempt.
COMPILE := -gcflags='all=-dwarf=false -l' -gcflags='std=-dwarf=false' \
           -gcflags='github.com/tetratelabs/wazero/...=-dwarf=false' \
           -gcflags='github.com/agora-host/agora/...=-dwarf=false'
BUILD   := CGO_ENABLED=0 go build $(COMPILE) -ldflags='-s -w -X main.version=$(VERSION)'

.DEFAULT_GOAL := help
WASMTIME := github.com/bytecodealliance/wasmtime-go/v41

.PHONY: help run build guests test check bench peers fuzz clean

help: ## list what can be done here
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build, start a demo node, publish the example apps, and say where to look
	@$(MAKE) --no-print-directory -j2 build guests
	@./bin/agora up

build: ## build the one static binary, bin/agora
	@echo 'Building bin/agora (the first time takes about a minute) …'
	@mkdir -p bin
	@$(BUILD) -o bin/agora ./cmd/agora

# The node builds the examples itself. This fills the toolchain's cache for it, on
# the CPU that the end of the other build leaves idle.
guests:
	@for app in hello guestbook; do \
		GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -buildmode=c-shared -o /dev/null ./examples/$$app; done

NPM := javascript/testdata/packages

TEST ?= go test -timeout 25m ./...

test: $(NPM)/node_modules ## run the tests
	$(TEST)

# The npm packages that tests bundle into apps.
$(NPM)/node_modules: $(NPM)/package-lock.json
	npm ci --silent --prefix $(NPM)
	@touch $@

check: ## all that CI checks: format, vet, tests with the race detector, builds for other systems
	./.ci/check

bench: ## measure; figures and how to read them are in docs/benchmarks.md
	cd bench && go run . $(BENCH)

peers: ## measure HTTP beside wasmtime and Extism: needs a C compiler, and downloads its library (200 MB)
	cd bench && go mod download $(WASMTIME) && \
		CGO_CFLAGS="-O2 -I$$(go list -m -f '{{.Dir}}' $(WASMTIME))/build/include" go run -tags wasmtime . -run http $(BENCH)

fuzz: ## fuzz every decoder of untrusted bytes, FUZZTIME each (default 30s)
	./.ci/fuzz

clean: ## delete what was built; data of `make run` stays
	rm -rf bin
