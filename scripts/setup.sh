#!/bin/sh
# Makes sure that what the build needs is there, and tells cargo in .cargo/config.toml where it lies:
#   sh scripts/setup.sh        a C compiler, kernel headers and libclang, the last two for cameras on Linux
#   sh scripts/setup.sh test   also a screen for the window tests (Xvfb, xdotool and a screenshot tool), Python with
#                              onnxruntime for those of exported models, and Mesa's software Vulkan for those of WebGPU
# What is missing is fetched into .setup/ where that works, installed where that needs no questions (root, apt or dnf), and
# else named. Once all is there, nothing is printed and no network is needed.
set -eu
cd "$(dirname "$0")/.."
mode=${1:-build}
dir=$PWD/.setup
found=$dir/build
config=.cargo/config.toml
mkdir -p "$dir"

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# install PURPOSE APT-PACKAGES DNF-PACKAGES: fails where packages cannot be installed without asking anybody.
install() {
    [ "$(id -u)" = 0 ] || return 1
    if have apt-get; then
        say "installing $2 for $1"
        # shellcheck disable=SC2086 # a list of packages
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $2; } \
            >"$dir/install.log" 2>&1 || { say "apt could not, see .setup/install.log"; return 1; }
    elif have dnf; then
        say "installing $3 for $1"
        # shellcheck disable=SC2086
        dnf install -qy $3 >"$dir/install.log" 2>&1 || { say "dnf could not, see .setup/install.log"; return 1; }
    else
        return 1
    fi
}

compiler() {
    have cc || install "a C compiler" "gcc libc6-dev" "gcc" || true
    if ! have cc; then
        [ "$(uname)" != Darwin ] || fail "no C compiler: run xcode-select --install"
        fail "no C compiler: install one (Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc)"
    fi
    say "C compiler: $(command -v cc)"
}

kernel_headers() {
    includes() { echo '#include <linux/videodev2.h>' | cc -E -o /dev/null -x c - 2>/dev/null; }
    includes || install "the kernel's headers" "linux-libc-dev libc6-dev" "kernel-headers glibc-devel" || true
    includes || fail "no linux/videodev2.h: install the kernel's headers" \
        "(Debian, Ubuntu: apt-get install linux-libc-dev; Fedora: dnf install kernel-headers)"
    say "kernel headers: found"
}

# The libraries that the build looks for, where it looks for them.
installed_libclang() {
    for file in /usr/lib/llvm-*/lib/libclang.so* /usr/lib/llvm-*/lib/libclang-[0-9]*.so* /usr/lib/*/libclang.so* \
        /usr/lib/*/libclang-[0-9]*.so* /usr/lib64/libclang.so* /usr/lib/libclang.so* /usr/local/lib/libclang.so*; do
        if [ -f "$file" ]; then
            echo "$file"
            return
        fi
    done
}

# libclang reads the kernel's headers. The package of the Python bindings carries it, for a user without root.
libclang() {
    if [ -n "${LIBCLANG_PATH:-}" ]; then
        say "libclang: $LIBCLANG_PATH, from LIBCLANG_PATH"
    elif installed=$(installed_libclang) && [ -n "$installed" ]; then
        say "libclang: $installed"
    else
        fetched=$dir/libclang/clang/native
        [ -f "$fetched/libclang.so" ] || fetch_libclang
        say "libclang: fetched into .setup/libclang"
        tell_cargo
    fi
}

# Whether cargo's settings here are those that were written below.
is_ours() { [ -f "$config" ] && head -n 1 "$config" | grep -q "scripts/setup.sh"; }

# Every cargo command here finds the libclang that was fetched, unless the environment names another.
tell_cargo() {
    [ ! -f "$config" ] || is_ours || fail "$config is not of scripts/setup.sh: add LIBCLANG_PATH = \"$fetched\" to its [env]"
    mkdir -p "${config%/*}"
    # It comes without the compiler's own headers (stddef.h): the C compiler's will do.
    cat >"$config.new" <<EOF
# Written by scripts/setup.sh, which fetched libclang; this machine's own was not found.
[env]
LIBCLANG_PATH = { value = ".setup/libclang/clang/native", relative = true }
BINDGEN_EXTRA_CLANG_ARGS = "-idirafter $(cc -print-file-name=include)"
EOF
    mv "$config.new" "$config"
}

fetch_libclang() {
    # 64-bit PCs, 64-bit ARM, and musl.
    cat >"$dir/libclang.txt" <<EOF
libclang==18.1.1 \
  --hash=sha256:c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b \
  --hash=sha256:54dda940a4a0491a9d1532bf071ea3ef26e6dbaf03b5000ed94dd7174e8f9592 \
  --hash=sha256:69f8eb8f65c279e765ffd28aaa7e9e364c776c17618af8bff22a8df58677ff4f
EOF
    say "fetching libclang (24 MB)"
    rm -rf "$dir/libclang.new" "$dir/libclang"
    for pip in "python3 -m pip" "python -m pip" pip3 pip; do
        $pip --version >/dev/null 2>&1 || continue
        # A target of its own: allowed, and harmless, where pip may not touch the system's packages.
        if $pip install -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
            --target "$dir/libclang.new" -r "$dir/libclang.txt" >"$dir/install.log" 2>&1; then
            mv "$dir/libclang.new" "$dir/libclang"
            return
        fi
        fail "pip could not fetch libclang, see .setup/install.log; or install it (Debian, Ubuntu: apt-get install libclang-dev)"
    done
    fail "no libclang, and no pip to fetch it: install either (Debian, Ubuntu: apt-get install libclang-dev)"
}

screen_tools() { have Xvfb && have xdotool && { have import || have xwd; }; }

screen() {
    [ "$(uname)" = Linux ] || return 0
    screen_tools || install "window tests" "xvfb xauth xdotool imagemagick" \
        "xorg-x11-server-Xvfb xdotool ImageMagick" || true
    if screen_tools; then
        say "screen for tests: $(command -v Xvfb)"
    else
        say "window tests will be skipped: they need Xvfb, xdotool, and import or xwd"
    fi
}

# An environment of its own in .setup/python, or, where venv is missing, a folder of packages beside the interpreter.
exporter_python() {
    say "fetching onnxruntime for Python into .setup/python"
    packages="onnxruntime==1.32.0 numpy==2.2.6"
    if python3 -m venv "$dir/python" >"$dir/install.log" 2>&1 &&
        "$dir/python/bin/pip" install -q --disable-pip-version-check $packages >>"$dir/install.log" 2>&1; then
        return
    fi
    rm -rf "$dir/python"
    say "tests of exported models in Python will be skipped: they need python3 with venv and onnxruntime"
}

# Mesa 25's software Vulkan, unpacked beside the build: Debian 12's own is too old for WebGPU, and its backports would
# replace the system's. No root is needed for that.
software_vulkan() {
    [ "$(uname -m)" = x86_64 ] && have apt-get && grep -q '^VERSION_CODENAME=bookworm' /etc/os-release 2>/dev/null ||
        { say "WebGPU tests will be skipped: Mesa's software Vulkan is fetched on Debian 12 (x86-64) only"; return 0; }
    apt=$dir/apt
    rm -rf "$apt" "$dir/mesa" "$dir/mesa.new"
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$dir/mesa.new"
    # The mirror that this machine uses for Debian itself.
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        sed -n 's/ bookworm$//p' | head -n 1)
    for suite in bookworm bookworm-backports; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >"$apt/sources.list"
    own="-o Dir::State::Lists=$apt/lists -o Dir::Cache::archives=$apt/archives -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o Dir::Etc::sourcelist=$apt/sources.list -o Dir::Etc::sourceparts=- -o Debug::NoLocking=1"
    say "fetching Mesa's software Vulkan into .setup/mesa (11 MB)"
    # shellcheck disable=SC2086 # options without spaces
    if (cd "$apt" && apt-get $own update && apt-get $own -t bookworm-backports download \
        mesa-vulkan-drivers libdrm2 libdrm-amdgpu1) >"$dir/install.log" 2>&1; then
        for package in "$apt"/*.deb; do dpkg -x "$package" "$dir/mesa.new"; done
        # Its other libraries come with every desktop; these may be missing.
        ldconfig -p | grep -q libLLVM-15 && ldconfig -p | grep -q libvulkan.so.1 ||
            install "WebGPU tests" "libllvm15 libvulkan1" "" || true
        mv "$dir/mesa.new" "$dir/mesa"
    else
        say "WebGPU tests will be skipped: apt could not fetch Mesa, see .setup/install.log"
    fi
    rm -rf "$apt" "$dir/mesa.new"
}

# What an earlier run found may be gone, and a run with another PATH may find less.
ready() {
    [ -f "$found" ] && have cc || return 1
    ! is_ours || [ -e "$dir/libclang/clang/native/libclang.so" ]
}

case $mode in
    build | test) ;;
    *) fail "unknown mode '$mode': there are build and test" ;;
esac

if ! ready; then
    have cargo || fail "no cargo: install Rust"
    # What was written for a libclang that is gone would hide the one of the system.
    ! is_ours || rm "$config"
    compiler
    if [ "$(uname)" = Linux ]; then
        kernel_headers
        libclang
    fi
    : >"$found"
fi

if [ "$mode" = test ] && ! [ -f "$dir/screen" ]; then
    screen
    : >"$dir/screen"
fi

if [ "$mode" = test ] && ! [ -f "$dir/exporter_python" ]; then
    exporter_python
    : >"$dir/exporter_python"
fi

if [ "$mode" = test ] && ! [ -f "$dir/software_vulkan" ]; then
    software_vulkan
    : >"$dir/software_vulkan"
fi
