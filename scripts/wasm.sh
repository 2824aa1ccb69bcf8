#!/bin/sh
# Builds camloc-graph for browsers (wasm32-unknown-unknown), with rustup's standard library for it where that is
# installed (rustup target add wasm32-unknown-unknown), else with Debian's rustc-web, whose standard library is built
# first, once. It says which. Where neither can be had it says so, and fails.
#   sh scripts/wasm.sh
set -eu
cd "$(dirname "$0")/.."
target=wasm32-unknown-unknown
# A folder of its own: another compiler would have all other builds made anew.
dir=$PWD/target/wasm

say() { echo "wasm: $*"; }
fail() { echo "wasm: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
build() {
    CARGO_PROFILE_RELEASE_OPT_LEVEL=s CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
        CARGO_TARGET_DIR="$dir" "$@" --locked --release --target "$target" -p camloc-graph --lib
}

sysroot=$(rustc --print sysroot 2>/dev/null) || fail "no Rust: see https://rustup.rs"
if [ -d "$sysroot/lib/rustlib/$target/lib" ]; then
    say "by rustup's standard library for $target"
    build cargo build
else
    say "rustup has no standard library for $target here (rustup target add $target)"
    debian() { [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src" ]; }
    if ! debian && [ "$(id -u)" = 0 ] && have apt-get; then
        say "installing Debian's rustc-web cargo-web rust-web-src"
        mkdir -p "$dir"
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
            rustc-web cargo-web rust-web-src; } >"$dir/install.log" 2>&1 || say "apt could not, see target/wasm/install.log"
    fi
    debian || fail "no compiler for $target: run rustup target add $target, or, on Debian, apt-get install" \
        "rustc-web cargo-web rust-web-src"
    linker=$(find "$sysroot/lib/rustlib" -name rust-lld -type f | head -n 1)
    [ -n "$linker" ] || linker=$(command -v rust-lld || command -v wasm-ld || true)
    [ -n "$linker" ] || fail "no linker for $target: install lld"
    say "by Debian's $(/usr/bin/rustc --version)"
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker \
        build /usr/bin/cargo build -Zbuild-std=std,panic_abort
fi
say "built: target/wasm/$target/release/libcamloc_graph.rlib"
