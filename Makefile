# Every target works from a fresh clone. What a target lacks it fetches, or it
# says what is missing and how to get it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

export PATH := $(CURDIR)/.bin:$(CURDIR)/tools/node_modules/.bin:$(PATH)

# The modules of the workspace, as folders: golangci-lint does not know "work".
MODULES = $(shell go list -m -f '{{.Dir}}')
# The programs: every main package that is no test fixture.
PROGRAMS = $(shell go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' work)
# Half of the processors compile and test, the others serve: PostgreSQL, Kafka and the child processes of tests.
JOBS ?= $(shell n=$$(( $$(getconf _NPROCESSORS_ONLN) / 2 )); echo $$(( n > 2 ? n : 2 )))
STORY_PROGRAMS = $(addprefix github.com/curfew-platform/curfew/,services/auth/cmd/auth services/orders/cmd/orders services/logproc/cmd/logproc cmd/curfew e2e/cmd/stories)
# A package and what its tests import, on a line.
TEST_IMPORTS = {{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}
# Black-box suites build their own programs without the race detector.
RACE_PACKAGES = $(shell go list -f '$(TEST_IMPORTS)' work | grep -v -e '/curfew/e2e' -e '/curfew/bench' | grep -v testing/synctest | cut -d' ' -f1)
# Two threads in one synctest bubble can corrupt the race detector, https://go.dev/issue/78156, so these get one.
BUBBLE_PACKAGES = $(shell go list -f '$(TEST_IMPORTS)' work | grep -v -e '/curfew/e2e' -e '/curfew/bench' | grep testing/synctest | cut -d' ' -f1)
# Those that walk an authorization matrix do it whole where the race detector does not make each call six times as slow.
WALK_PACKAGES = $(shell go list -f '$(TEST_IMPORTS)' work | grep ' .*authz/authztest' | cut -d' ' -f1)
# Tests that need a Kubernetes run by k8s-test only.
PLAIN_PACKAGES = $(shell go list work | grep -e '/curfew/e2e' -e '/curfew/bench' | grep -v '/curfew/e2e/kubernetes$$')
# What needs Go only: packages whose tests ask for no Kafka and no Redis of their own, and no black-box suites.
SHORT_PACKAGES = $(shell go list -f '$(TEST_IMPORTS)' work \
	| grep -v -e 'localenv/kafkatest' -e 'localenv/redis' -e '/curfew/e2e' -e '/curfew/bench' | cut -d' ' -f1)
GO_TEST = go test -p $(JOBS) -count=1 -timeout 20m
# What a run shows goes through it, line by line, and fails where it holds a secret. An interrupt is for the run alone, whose last words are read too.
SCAN = (trap '' INT; exec bin/localenv scan)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- tools ---

.PHONY: setup
setup: .bin/.go-tools .bin/.npm-tools .bin/.prometheus ## Install the pinned tools into .bin and tools/node_modules

.bin/.go-tools: tools/go.mod tools/go.sum
	@echo "installing the Go tools (minutes with an empty cache)"
	@mkdir -p .bin
	@GOBIN=$(CURDIR)/.bin GOWORK=off go -C tools install tool
	@touch $@

# Without service discovery, which is most of its code.
.bin/.prometheus: tools/prometheus/go.mod tools/prometheus/go.sum
	@echo "installing Prometheus (minutes with an empty cache)"
	@mkdir -p .bin
	@GOBIN=$(CURDIR)/.bin GOWORK=off go -C tools/prometheus install -tags remove_all_sd tool
	@touch $@

.bin/.npm-tools: tools/package.json tools/package-lock.json
	@tools/require npm
	@mkdir -p .bin
	@# Not "npm ci": it wants the packages of all platforms in the lock file, of which a registry may carry some only.
	@cd tools && npm install --no-save --no-audit --no-fund --loglevel=error
	@tools/node_modules/.bin/buf --version >/dev/null
	@touch $@

.PHONY: setup-system
setup-system: ## Install what tests need beyond Go (root on a Debian-like system)
	@tools/setup-system

# --- programs ---

.PHONY: build
build: ## Build every program into bin
	@mkdir -p bin
	@go build -o bin/ $(PROGRAMS)

.PHONY: dev
dev: build ## Start everything and stay; ARGS="--port 0" passes flags
	@exec bin/curfew dev $(ARGS)

.PHONY: demo
demo: build ## Run the three stories; needs Go only
	@state=$$(mktemp -d -t curfew-demo.XXXXXX); trap 'rm -rf "$$state"' EXIT; \
	bin/curfew dev --port 0 --state-dir "$$state" --orders-replicas 2 -- bin/stories 2>&1 | $(SCAN)

.PHONY: images
images: ## Build the container images into bin/images, with a bill of materials each
	@mkdir -p bin/images
	@GOWORK=off go -C tools/image run . -root $(CURDIR) -out $(CURDIR)/bin/images \
		-version "$$(git describe --tags --always --dirty 2>/dev/null || echo unknown)" \
		-revision "$$(git rev-parse HEAD 2>/dev/null)"

# --- checks ---

.PHONY: test
test: .bin/.prometheus ## Run every test, beside a real PostgreSQL and a real Apache Kafka
	@tools/require --install cc java mvn redis-server kcat psql pgbench spin npm
	@$(MAKE) --no-print-directory build
	@bin/localenv with postgres,kafka -- $(MAKE) --no-print-directory test-here 2>&1 | $(SCAN)

# The stories once more with the race detector in every process: a report of it ends the process, and with it the story.
.PHONY: test-stories-race
test-stories-race:
	@mkdir -p bin/race
	@go build -race -o bin/race/ $(STORY_PROGRAMS)
	@state=$$(mktemp -d -t curfew-race.XXXXXX); trap 'rm -rf "$$state"' EXIT; \
	GORACE="halt_on_error=1 log_path=$$state/race" bin/race/curfew dev --port 0 --state-dir "$$state/dev" --orders-replicas 2 -- bin/race/stories --rounds 16 \
		&& ! cat "$$state"/race.* 2>/dev/null

.PHONY: test-here
test-here:
	@status=0; \
	$(GO_TEST) -race $(RACE_PACKAGES) || status=1; \
	$(GO_TEST) -race -cpu 1 $(BUBBLE_PACKAGES) || status=1; \
	$(GO_TEST) -run EveryMethodRoleResourceTokenAndStaleness $(WALK_PACKAGES) || status=1; \
	CURFEW_BIN_DIR=$(CURDIR)/bin $(GO_TEST) $(PLAIN_PACKAGES) || status=1; \
	$(MAKE) --no-print-directory test-stories-race || status=1; \
	$(MAKE) --no-print-directory images-test || status=1; \
	exit $$status

.PHONY: test-short
test-short: build ## Run the tests that need Go only
	@bin/localenv with postgres -- go test -p $(JOBS) -short $(SHORT_PACKAGES)

.PHONY: soak
soak: .bin/.prometheus ## Run the fault suites at full size, on Kubernetes too (hours; Linux, root)
	@tools/require --install cc java mvn redis-server kcat psql pgbench spin npm
	@$(MAKE) --no-print-directory build
	@CURFEW_TEST_SIZE=soak bin/localenv with postgres,kafka -- \
		$(MAKE) --no-print-directory test-here GO_TEST='go test -p 1 -count=1 -timeout 12h -v' 2>&1 | $(SCAN)
	@CURFEW_TEST_SIZE=soak $(MAKE) --no-print-directory k8s-test

.PHONY: manifests-test
manifests-test: build ## Render the Kubernetes manifests, check them against schemas, rules and the services
	@GOWORK=off CURFEW_BIN_DIR=$(CURDIR)/bin go -C tools/manifests test -count=1 ./...

.PHONY: images-test
images-test: ## Check that images are reproducible and say what is in them
	@GOWORK=off go -C tools/image test -count=1 ./...

.PHONY: mutations
mutations: build ## Make every listed mutation of the code and see its test fail (half an hour)
	@CURFEW_TEST_SIZE=soak bin/localenv with postgres,kafka -- go test -count=1 -timeout 4h -v -run EveryListed ./e2e/mutation

.PHONY: lint
lint: setup ## golangci-lint, gofumpt, buf lint
	@status=0; \
	for dir in $(MODULES); do golangci-lint run $$dir/... || { echo "in $$dir"; status=1; }; done; \
	buf lint || status=1; \
	exit $$status

.PHONY: generate
generate: setup ## Generate Go from the protos
	@buf generate
	@go generate work

.PHONY: bench
bench: ## Print the ratios against peers and limits
	@tools/require --install java mvn redis-server psql pgbench
	@$(MAKE) --no-print-directory build
	@state=$$(mktemp -d -t curfew-bench.XXXXXX); trap 'rm -rf "$$state"' EXIT; \
	bin/localenv with kafka,redis -- sh -c 'exec bin/curfew dev --port 0 --state-dir "$$0" \
		--kafka-brokers "$$CURFEW_TEST_KAFKA_BROKERS" -- bin/bench --redis-addr "$$CURFEW_TEST_REDIS_ADDR" $(ARGS)' "$$state"

.PHONY: peers
peers: ## What happens to the commit when an earlier part is stuck: ours and five others; ARGS="--scale 1"
	@go run ./bench/peers/cmd/peers $(ARGS)

# --- Kubernetes ---

KUBERNETES_VERSION = 1.35.4
# An unstamped version makes a node report nonsense.
KUBERNETES_STAMPS = $(foreach package,k8s.io/component-base/version k8s.io/client-go/pkg/version, \
	-X $(package).gitVersion=v$(KUBERNETES_VERSION) -X $(package).gitMajor=1 -X $(package).gitMinor=35 -X $(package).gitTreeState=clean)

bin/kubernetes/.built: $(wildcard tools/kubernetes/*.* tools/kubernetes/*/*.*)
	@echo "building Kubernetes $(KUBERNETES_VERSION) (4 minutes with an empty cache)"
	@mkdir -p bin/kubernetes
	@export GOWORK=off CGO_ENABLED=0; cd tools/kubernetes; \
		go build -trimpath -ldflags "-s -w$(KUBERNETES_STAMPS)" -o ../../bin/kubernetes/kubernetes .; \
		go build -trimpath -ldflags "-s -w" -o ../../bin/kubernetes/pause ./pause; \
		go build -C coredns -trimpath -ldflags "-s -w" -o ../../../bin/kubernetes/coredns .
	@touch $@

K8S_STATE ?= .state/local
K8S_NODES ?= 2

.PHONY: k8s-up
k8s-up: k8s-programs ## Start a real Kubernetes, deploy to it and leave it running (Linux, root)
	@tools/kubernetes/up $(K8S_STATE) $(K8S_NODES)

# What the targets below run beside a cluster of their own.
.PHONY: k8s-programs
k8s-programs:
	@tools/require --install containerd runc cni iptables conntrack ip nsenter java mvn
	@$(MAKE) --no-print-directory bin/kubernetes/.built build images

.PHONY: k8s-test
k8s-test: k8s-programs ## Prove it on a real Kubernetes: rollouts, kills, lost nodes, scaling (Linux, root); ARGS="-run Rollout"
	@tools/kubernetes/with 2 go test -count=1 -timeout 12h -v $(ARGS) ./e2e/kubernetes 2>&1 | $(SCAN)

.PHONY: k8s-demo
k8s-demo: k8s-programs ## Tell the three stories inside a real Kubernetes, and roll all of it out under load (Linux, root)
	@tools/kubernetes/with 1 bin/incluster 2>&1 | $(SCAN)

.PHONY: k8s-down
k8s-down: ## Remove it, and everything of it
	@go run ./pkg/localenv/cmd/localenv --state $(K8S_STATE) kubernetes down

.PHONY: manifests-schemas
manifests-schemas: ## Make the schemas of the manifests again, from the module of Kubernetes
	@GOWORK=off go -C tools/manifests run ./cmd/schemas \
		"$$(GOWORK=off go -C tools/kubernetes list -m -f '{{.Dir}}' k8s.io/kubernetes)/api/openapi-spec/swagger.json" schemas \
		Namespace ServiceAccount ConfigMap Secret Service EndpointSlice StatefulSet Job Pod PodDisruptionBudget NetworkPolicy Ingress PriorityClass HorizontalPodAutoscaler

# --- real servers that stay ---

SERVERS = postgres kafka opensearch redis
.PHONY: $(SERVERS:%=%-up) $(SERVERS:%=%-down)
kafka-up: ## Start Apache Kafka and leave it running
opensearch-up: ## Start OpenSearch and leave it running
redis-up: ## Start Redis and leave it running
kafka-down: ## Stop it
opensearch-down: ## Stop it
redis-down: ## Stop it
$(SERVERS:%=%-up): %-up:
	@go run ./pkg/localenv/cmd/localenv $* up
$(SERVERS:%=%-down): %-down:
	@go run ./pkg/localenv/cmd/localenv $* down
