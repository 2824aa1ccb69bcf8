#!/bin/busybox sh
# The first process of the guest: it makes the host's files the guest's own, and hands over to agent.sh.
#
# The host's root is read-only below; what is written beside the shared folder, /mnt, stays in memory and is gone after.
# CAMERA_VM_AGENT comes from the kernel's command line.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /ram
mkdir /ram/upper /ram/work
ip link set lo up
for module in /modules/*; do insmod "$module"; done
files=trans=virtio,version=9p2000.L,msize=524288
mount -t 9p -o $files,cache=loose,ro host /host &&
    mount -t overlay -o lowerdir=/host,upperdir=/ram/upper,workdir=/ram/work root /merged &&
    mount -t 9p -o $files share /merged/mnt &&
    for place in proc sys dev; do mount --rbind /$place /merged/$place; done &&
    chroot /merged /bin/bash "$CAMERA_VM_AGENT"
poweroff -f
