# `make run` and `make test` are all that a newcomer needs; both install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

RUN_PACKAGES := libportaudio2 mosquitto python3-venv
TEST_PACKAGES := $(RUN_PACKAGES) alsa-utils chromium faketime pulseaudio pulseaudio-utils libasound2-plugins mosquitto-clients openssl systemd espeak-ng ffmpeg prometheus g++ python3-dev cmake cppcheck clang \
	gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm \
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user
CONTAINER_PACKAGES := debootstrap systemd-container qemu-user-static binfmt-support
TRAIN_PACKAGES := espeak-ng ffmpeg g++ python3-dev

.PHONY: help install run test check format bench mcu chaos soak power-loss negatives model train-folds evaluate docs deb deb-test fuzz container install-service lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 18

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[litert]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[web,tools,docs,dev]'
	@touch $@ $(VENV)/.run

install: $(VENV)/.dev ## make .venv with everything for development

run: ## listen, or demonstrate on a synthesised soundscape where there is no microphone
	@scripts/system-packages.sh $(RUN_PACKAGES)
	@$(MAKE) --no-print-directory $(VENV)/.run
	$(BIN)/aed-daemon run --demo $(ARGS)

test: ## install what the tests need and run them all
	@scripts/system-packages.sh $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory $(VENV)/.dev
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure speed, memory and latency; writes benchmarks/results.json
	@scripts/system-packages.sh $(TEST_PACKAGES)
	$(BIN)/python -m benchmarks $(ARGS)

mcu: $(VENV)/.dev ## measure the exported C in the emulator and against TFLite; writes benchmarks/mcu.json
	@scripts/system-packages.sh $(TEST_PACKAGES)
	$(BIN)/python -m benchmarks mcu $(ARGS)

chaos: $(VENV)/.dev ## twenty minutes of killing daemon, capture, broker and network; writes benchmarks/reliability.json
	@scripts/system-packages.sh $(TEST_PACKAGES)
	$(BIN)/python -m benchmarks.chaos $(ARGS)

power-loss: $(VENV)/.dev ## cut the power under the outbox a thousand times, and time it; writes benchmarks/reliability.json
	$(BIN)/python -m benchmarks.power_loss $(ARGS)
	$(BIN)/python -m benchmarks.outbox_speed

negatives: $(VENV)/.dev ## fetch Debian packages with more of the classes and with none of them, and synthesise speech
	@scripts/system-packages.sh $(TRAIN_PACKAGES)
	$(BIN)/model-tools fetch examples
	$(BIN)/model-tools fetch negatives

model: negatives ## make the default model: teacher, student, int8, calibration; a run that is cut off goes on
	$(BIN)/model-tools protocol --only 'default/*'

train-folds: negatives ## make the networks that every figure comes from: folds, seeds, rotations
	$(BIN)/model-tools protocol $(ARGS)

evaluate: $(VENV)/.dev ## every figure from the model files; writes benchmarks/accuracy.json and .html (make negatives first)
	$(BIN)/model-tools evaluate --all --card MODEL_CARD.md $(ARGS)

docs: $(VENV)/.dev ## generate the reference pages, and all pages as a site in build/site
	$(BIN)/python -m aed_daemon.config_reference docs/configuration.md
	$(BIN)/python -m aed_daemon.event_reference docs/event.schema.json
	$(BIN)/python -m aed_daemon.event_reference docs/events.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --clean

lock: ## pin the dependencies anew (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-header --no-annotate -c scripts/lock-limits.txt -o constraints.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c constraints.txt -o packaging/debian/requirements.txt

deb: $(BIN)/python ## build a Debian 12 package in build/; ARGS=arm64 or armhf for another architecture, NEVER_RECORD=1: it cannot record
	PYTHON=$(BIN)/python packaging/debian/build.sh $(ARGS)

deb-test: deb $(VENV)/.dev ## install the package in a Debian 12 of its own and boot it (as root); ARGS=armhf
	@scripts/system-packages.sh $(CONTAINER_PACKAGES)
	$(BIN)/python -m benchmarks.package $(ARGS)

fuzz: $(VENV)/.dev ## 100,000 configurations and more for every parser; writes benchmarks/reliability.json
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

soak: $(VENV)/.dev ## a day of sound, an hour without the broker, the unit's exposure; writes benchmarks/reliability.json
	@scripts/system-packages.sh $(TEST_PACKAGES)
	$(BIN)/python -m benchmarks.soak $(ARGS)
	$(BIN)/python -m benchmarks.broker_away
	$(BIN)/python -m benchmarks.exposure

container: $(VENV)/.dev ## as root: a real Home Assistant in a Debian root (build/trixie, 2 GB) discovers the daemon
	@scripts/system-packages.sh debootstrap $(TEST_PACKAGES)
	scripts/home-assistant-root.sh build/trixie
	$(BIN)/python -m tests.container.verify_home_assistant build/trixie

install-service: ## install the daemon under /opt/aed with its systemd unit (as root)
	sh systemd/install.sh

clean: ## remove everything that was built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
