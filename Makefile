# The two commands of the README, and what developers use beside them. Everything that is missing gets installed first.

APT_PACKAGES := librdkafka-dev librocksdb-dev libsimdjson-dev zlib1g-dev pkg-config g++ python3 python3-venv
SWIFT_BUILD := swift build -j 2

.PHONY: demo test unit integration benchmark format lint dependencies

## Builds the tracker and runs the demo on the embedded broker.
demo: dependencies
	$(SWIFT_BUILD) --product payload-tracker
	.build/debug/payload-tracker demo

## Everything that has to pass: format, unit tests, black-box scenarios.
test: dependencies lint unit integration

# One test at a time: many have a broker of their own, and two cores.
unit: dependencies
	swift test -j 2 --no-parallel

## Against the broker that installs from PyPI; BOOTSTRAP=host:port or KAFKA_HOME=dir choose another.
integration: dependencies
	$(SWIFT_BUILD) --product payload-tracker
	integration/run $(if $(BOOTSTRAP),--bootstrap $(BOOTSTRAP))

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
