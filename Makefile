# Everything a newcomer needs: make help.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOLS    = $(GO) tool -modfile=.ci/tools.mod
PREFIX  ?= /usr/local
PLUGINS ?= /usr/libexec/docker/cli-plugins

# Of everything one build, the one that is installed: what tests compile is then compiled once.
export CGO_ENABLED = 0

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## Install what tests and demo need (docker.io and friends, through apt)
	@.ci/deps

.PHONY: build
build: ## Build bin/docker-harden
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/docker-harden ./cmd/docker-harden

.PHONY: demo
demo: deps build ## Show plan, apply, verify and rollback on an isolated Docker host, then remove it
	@$(GO) build -o bin/testhost ./cmd/testhost
	@bin/testhost run --workload -- sh fixtures/demo/demo.sh

.PHONY: test
test: deps ## Run every test; needs root, starts its own isolated Docker hosts
	$(GO) run ./cmd/testhost images
	$(GO) test $(FAST) -count=1 -p 4 -timeout 40m $(LONGEST) ./...

# What takes longest begins first, so that nothing long is alone at the end.
LONGEST = ./remediate/docker/daemon ./remediate/docker/container ./cmd/docker-harden ./cmd/acceptance ./remediate/docker/container/casetest ./remediate/docker/daemon/casetest \
	./cmd/testhost/host ./plan/inventory

# Linking without debug information, and no second vet after make check: two minutes of two processors.
FAST = -vet=off -ldflags=-w

.PHONY: test-faults
test-faults: deps ## Kill tool, engine and host at a sample of the points; full disks, cut connections, signals, editors; the demo's comparison
	$(GO) run ./cmd/testhost images
	$(GO) test -tags reliability -count=1 -p 1 -timeout 60m ./cmd/reliability/... ./cmd/acceptance ./cmd/testhost

.PHONY: reliability
reliability: deps ## Kill everything at every point, run every numbered case, rewrite docs/reliability.md
	$(GO) run ./cmd/testhost images
	$(GO) run ./cmd/testhost engines
	$(GO) run ./cmd/reliability -part -tags reliability
	@set -e; for engine in $(ENGINES); do echo "== engine of $$engine"; DOCKER_HARDEN_TEST_ENGINE=$$engine \
		$(GO) run ./cmd/reliability -part -tags engines -run "$(CORE_ALL)" $(CORE_ALL_PACKAGES); done
	$(GO) run ./cmd/reliability -check

ENGINES ?= trixie sid

.PHONY: test-engines
test-engines: deps ## Repeat the core on newer engines: those of Debian 13 and of sid
	$(GO) run ./cmd/testhost images
	$(GO) run ./cmd/testhost engines
	@printf '%s\n' $(ENGINES) | xargs -P 2 -I % sh -c 'out=$$(mktemp); export DOCKER_HARDEN_TEST_ENGINE=%; \
		$(GO) test $(FAST) -tags engines -count=1 -p 2 -timeout 20m -run "$(CORE)" $(CORE_PACKAGES) >"$$out" 2>&1; code=$$?; \
		echo "== engine of %"; cat "$$out"; rm -f "$$out"; exit $$code'

.PHONY: test-engines-all
test-engines-all: ## The same with every test that another engine could change
	$(MAKE) test-engines CORE="$(CORE_ALL)" CORE_PACKAGES="$(CORE_ALL_PACKAGES)"

# What test-engines repeats: plan, apply, verify, rollback; a recreate killed on its way; the restart of the engine.
CORE = ^Test(HostThereAndBack|KilledAnywhereInDo|RestartKeepsContainersRunning)$$
CORE_PACKAGES = ./cmd/acceptance ./remediate/docker/container ./remediate/docker/daemon
CORE_ALL = ^Test(Engine|HostThereAndBack|DaemonDefault|NeededCapability|KilledAnywhere|Recreate|Update|SystemdHost|UnderSystemd|ValidateWithTheRealBinary|RestartKeeps|RestartThatFails)
CORE_ALL_PACKAGES = ./cmd/acceptance/... ./remediate/docker/container ./remediate/docker/daemon/... ./cmd/testhost/host

.PHONY: test-vm
test-vm: ## Test on a virtual machine (cgroup v2, AppArmor, reboots), rewrite its rows of docs/reliability.md
	@.ci/deps vm
	$(GO) run ./cmd/testhost vm
	$(GO) run ./cmd/reliability -part -tags vm -timeout 90m ./cmd/acceptance/machine

.PHONY: race
race: export CGO_ENABLED = 1
race: deps ## Run every test under the race detector
	$(GO) test -race -count=1 -p 2 -timeout 40m ./...

.PHONY: bench
bench: deps ## Measure planning and recreate against what the engine itself needs (docs/performance.md)
	$(GO) test -run '^$$' -bench Plan -benchtime 15x -timeout 10m ./cmd/acceptance
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 20m ./remediate/docker/container
	$(GO) test -run '^$$' -bench Watched -benchtime 1x -timeout 5m ./plan/evidence/trace
	$(GO) test -run '^$$' -bench WatchedNginx -benchtime 1x -timeout 5m ./cmd/acceptance

.PHONY: fuzz
fuzz: ## Fuzz every parser for 30 s each
	@set -e; for f in $$(grep -rlE '^func Fuzz' --include=*_test.go .); do \
		for n in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$f); do \
			$(GO) test -run '^$$' -fuzz "^$$n\$$" -fuzztime 30s ./$$(dirname $$f); done; done

.PHONY: check
check: ## Format, vet, staticcheck, module and generated docs
	@test -z "$$($(TOOLS) gofumpt -l . | tee /dev/stderr)"
	$(GO) vet -tags engines,vm,reliability ./...
	$(TOOLS) staticcheck ./...
	$(GO) mod tidy -diff
	$(GO) run ./cmd/docker-harden controls list --format markdown | diff -u docs/controls.md -
	$(GO) run ./cmd/docker-harden controls coverage --format markdown | diff -u docs/coverage.md -
	$(GO) run ./cmd/docker-harden controls threats | diff -u docs/threat-model.md -

.PHONY: update
update: ## Rewrite golden files and generated docs
	$(GO) test ./plan/profile ./plan/report ./plan/control/docker ./cmd/docker-harden -update
	$(GO) run ./cmd/docker-harden controls list --format markdown > docs/controls.md
	$(GO) run ./cmd/docker-harden controls coverage --format markdown > docs/coverage.md
	$(GO) run ./cmd/docker-harden controls threats > docs/threat-model.md

.PHONY: install
install: build ## Install docker-harden, also as the Docker CLI plugin "docker harden"
	install -D -m 0755 bin/docker-harden $(DESTDIR)$(PREFIX)/bin/docker-harden
	install -d $(DESTDIR)$(PLUGINS)
	ln -sf $(PREFIX)/bin/docker-harden $(DESTDIR)$(PLUGINS)/docker-harden

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
