# Everything that is done with Lift's source. It needs Go, git, make and a C
# compiler (for the race detector); the rest is pinned below and built by Go
# into a cache folder outside the tree.

GO ?= go

# One folder for each tool and version, so that a new pin is a new build.
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lift/bin

GOLANGCI_LINT      := $(TOOLS)/golangci-lint@v2.15.0/golangci-lint
BUF                := $(TOOLS)/buf@v1.75.0/buf
PROTOC_GEN_GO      := $(TOOLS)/protoc-gen-go@v1.36.12/protoc-gen-go
PROTOC_GEN_GO_GRPC := $(TOOLS)/protoc-gen-go-grpc@v1.6.2/protoc-gen-go-grpc

# The real Consul of the tests, from a module of its own: its licence (BUSL) keeps
# it out of ours. One on the PATH will do as well.
CONSUL_BUILT := $(TOOLS)/consul@v1.21.0/consul
CONSUL       := $(if $(shell command -v consul),,$(CONSUL_BUILT))

PROTO_TOOLS := $(BUF) $(PROTOC_GEN_GO) $(PROTOC_GEN_GO_GRPC)
BUF_ENV     := PATH="$(dir $(PROTOC_GEN_GO)):$(dir $(PROTOC_GEN_GO_GRPC)):$$PATH"
BASELINE    := lift/v1/baseline.binpb

.PHONY: help demo test build layer bench figures fuzz generate lint generated vet-darwin tools ci

help: ## say what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## a function on a local Lambda keeps answering while all around it breaks (ARGS=--keep to play on)
	$(GO) run ./demo $(ARGS)

test: $(CONSUL) ## all tests, with the race detector and real processes
	CGO_ENABLED=1 $(GO) test -race -tags e2e -count=1 -timeout 15m ./...

build: ## the programs, into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

layer: ## reproducible layer zips for both architectures, into dist/
	$(GO) run ./layer/build -o dist $(ARGS)

bench: ## the measurements
	$(GO) test -run '^$$' -bench . -benchmem ./bench/... $(ARGS)

figures: ## start-up, memory, and calls beside direct ones, on real processes
	$(GO) run ./bench/figures $(ARGS)

FUZZTIME ?= 10s
PKG      ?= ./...
fuzz: ## each fuzz test of PKG (all) for FUZZTIME (10s)
	@set -e; for pkg in $$($(GO) list $(PKG)); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

generate: $(PROTO_TOOLS) ## the code that is made from proto/
	cd proto && $(BUF_ENV) $(BUF) generate

lint: $(GOLANGCI_LINT) $(BUF) ## golangci-lint and buf; every exception has its reason beside it (ARGS=--fix)
	$(GOLANGCI_LINT) run ./... $(ARGS)
	cd proto && $(BUF) lint
	cd proto && $(BUF) breaking --against $(BASELINE)

# Made anew in a folder of its own and compared, so that neither the tree nor
# what is not committed yet matters.
generated: $(PROTO_TOOLS) ## is the generated code what proto/ says?
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	(cd proto && $(BUF_ENV) $(BUF) generate -o "$$dir"); \
	for side in proto "$$dir"; do \
		(cd $$side && find . -name '*.pb.go' | LC_ALL=C sort | while read -r f; do cksum "$$f"; done); \
	done | sort | uniq -u > "$$dir/differ"; \
	if [ -s "$$dir/differ" ]; then \
		echo 'The generated code is not what proto/ says. Run make generate and commit what it makes:'; \
		awk '{print "  proto/" substr($$3, 3)}' "$$dir/differ" | sort -u; exit 1; \
	fi

vet-darwin: ## does it build on macOS?
	GOOS=darwin CGO_ENABLED=0 $(GO) vet ./...

tools: $(GOLANGCI_LINT) $(PROTO_TOOLS) $(CONSUL) ## build the pinned tools now

ci: ## what .ci/run does
	.ci/run

# install <target> <package>: the version is the part of the target's folder after @.
install = GOBIN="$(dir $(1))" GOFLAGS= $(GO) install $(2)@$(lastword $(subst @, ,$(patsubst %/,%,$(dir $(1)))))

$(GOLANGCI_LINT):
	$(call install,$@,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
$(BUF):
	$(call install,$@,github.com/bufbuild/buf/cmd/buf)
$(PROTOC_GEN_GO):
	$(call install,$@,google.golang.org/protobuf/cmd/protoc-gen-go)
$(PROTOC_GEN_GO_GRPC):
	$(call install,$@,google.golang.org/grpc/cmd/protoc-gen-go-grpc)
# Takes minutes, once. The tests build it as well, if it is not there.
$(CONSUL_BUILT):
	mkdir -p "$(dir $@)"
	cd e2e/consul && GOFLAGS= GOWORK=off CGO_ENABLED=0 $(GO) build -trimpath -o "$@.made" github.com/hashicorp/consul && mv "$@.made" "$@"
