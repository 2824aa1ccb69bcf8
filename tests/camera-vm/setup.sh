#!/bin/sh
# Makes ready what the camera tests boot: sh tests/camera-vm/setup.sh DIR
#
# QEMU, busybox, kmod and cpio are installed where they are missing (root and apt); Debian's own kernel is only unpacked,
# with its camera drivers, into DIR, beside an initial file system that hands over to agent.sh. Once all is there, nothing
# is fetched. What cannot be had is named on standard error, with exit status 1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)

fail() { echo "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
tools() { have qemu-system-x86_64 && have busybox && have modprobe && have cpio; }

# The package of the kernel that Debian takes at present, in which the camera drivers are.
kernel_package() {
    apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)/\1/p' | head -n 1
}

# The initial file system is made anew when what it is made of has changed.
initrd_is_new() { [ -f "$dir/initrd" ] && [ "$dir/initrd" -nt "$here/init.sh" ] && [ "$dir/initrd" -nt "$here/setup.sh" ]; }

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || fail "the virtual machine needs Linux on x86_64"
PATH=$PATH:/usr/sbin:/sbin
if ! tools; then
    have apt-get || fail "qemu-system-x86_64, busybox, kmod and cpio are not all installed"
    [ "$(id -u)" = 0 ] || fail "not installed: apt-get install qemu-system-x86 busybox-static kmod cpio"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
        qemu-system-x86 busybox-static kmod cpio; } >"$dir/install.log" 2>&1 || true
    tools || fail "apt-get could not install QEMU, see $dir/install.log"
fi

if ! [ -f "$dir/kernel" ]; then
    have dpkg || fail "no kernel with camera drivers: that of Debian is fetched by apt and dpkg"
    package=$(kernel_package)
    [ -n "$package" ] || { apt-get update -q >"$dir/install.log" 2>&1 && package=$(kernel_package); } || true
    [ -n "$package" ] || fail "apt knows no linux-image-amd64"
    rm -rf "$dir/boot" "$dir/lib"
    (cd "$dir" && apt-get download -q "$package") >"$dir/install.log" 2>&1 || fail "apt-get could not download $package"
    dpkg --fsys-tarfile "$dir"/linux-image-*.deb | tar x -C "$dir" --wildcards './boot/vmlinuz*' './lib/modules/*/modules.*' \
        './lib/modules/*/kernel/drivers/media/*' './lib/modules/*/kernel/drivers/usb/*' \
        './lib/modules/*/kernel/drivers/virtio/*' './lib/modules/*/kernel/net/9p/*' './lib/modules/*/kernel/fs/*'
    rm "$dir"/linux-image-*.deb
    depmod -b "$dir" "$(ls "$dir/lib/modules")"
    mv "$dir"/boot/vmlinuz* "$dir/kernel"
fi

if ! initrd_is_new; then
    root=$dir/root
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/host" "$root/ram" "$root/merged"
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$here/init.sh" "$root/init"
    chmod +x "$root/init"
    # What reaches the host's files, in the order in which it must be loaded.
    count=10
    for module in virtio_pci 9pnet_virtio 9p overlay; do
        modprobe -d "$dir" -S "$(ls "$dir/lib/modules")" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
        case $file in
            *.xz) xz -dc "$file" >"$root/modules/$count.ko" ;;
            *) cp "$file" "$root/modules/$count.ko" ;;
        esac
        count=$((count + 1))
    done
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initrd.new"
    mv "$dir/initrd.new" "$dir/initrd"
    rm -rf "$root"
fi
