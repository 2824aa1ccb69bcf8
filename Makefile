# Two commands do everything on a fresh machine with Rust, python3 with pip, and make:
#   make demo   build camloc, fetch what it needs, and show it at work
#   make test   build and run every test
# make wasm builds camloc-graph for browsers.
# make test-camera tries cameras in a virtual machine, beside them: four minutes more.
# Set-up is remembered in .setup/ (build needs) and in camloc's cache (assets), so a second run needs no network.

CARGO ?= cargo
# Tests that can't run on this machine leave their names and reasons here.
SKIPPED := target/tmp/skipped
TELL_SKIPPED = if [ -s $(SKIPPED) ]; then echo "$$(wc -l < $(SKIPPED)) skipped:"; cat $(SKIPPED); else echo "0 skipped"; fi

.PHONY: demo build test test-camera wasm lint bench setup setup-test clean

demo: build
	./target/release/camloc demo

build: setup
	@$(CARGO) build --release --locked

setup:
	@sh scripts/setup.sh

setup-test:
	@sh scripts/setup.sh test

# Assets come first, so that no test spends its time limit on a download.
test: setup-test
	@$(CARGO) build --locked
	@./target/debug/camloc setup
	@rm -f $(SKIPPED)
	@unset CAMLOC_FFMPEG && $(CARGO) test --locked --workspace --no-fail-fast
	@if CAMLOC_FFMPEG=$$(command -v ffmpeg); then export CAMLOC_FFMPEG; echo "videos once more, by $$CAMLOC_FFMPEG"; \
		$(CARGO) test --locked --no-fail-fast --lib -- source::video sink:: && \
		$(CARGO) test --locked --no-fail-fast --test program -- videos:: masks:: demo::; fi
	@$(TELL_SKIPPED)

# The real program with the kernel's own camera drivers, in a virtual machine; docs/cameras.md.
test-camera: setup-test
	@$(CARGO) build --locked
	@./target/debug/camloc setup
	@rm -f $(SKIPPED)
	@$(CARGO) test --locked --test camera-vm
	@$(TELL_SKIPPED)

# The graph crate alone, for browsers.
wasm:
	@sh scripts/wasm.sh

lint: setup
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check bans licenses sources; \
	else echo "cargo deny is not installed: licences of dependencies not checked"; fi

bench: setup
	@$(CARGO) bench --locked

clean:
	$(CARGO) clean
	! grep -qs scripts/setup.sh .cargo/config.toml || rm .cargo/config.toml
	rm -rf .setup demo.mp4 demo.png
