#!/bin/busybox sh
# The guest's first program, from the initrd: modules, disks, mounts, the seed, the network; then the second
# one from the disk. All of it with one static busybox, since every other program takes its time to start.
# What fails ends it, and so panics the kernel, with the reason on the console.
set -e
b=/bin/busybox
$b mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do [ ! -e "$module" ] || $b insmod "$module" || true; done

wait_for() {
    i=0
    while [ ! -b "$1" ] && [ $i -lt 100 ]; do $b sleep 0.1; i=$((i + 1)); done
}

wait_for /dev/vda
$b mount -t ext4 -o noatime /dev/vda /mnt
$b mount --move /dev /mnt/dev
$b mkdir -p /mnt/dev/pts /mnt/dev/shm
$b mount -t devpts -o gid=5,mode=620 devpts /mnt/dev/pts
$b mount -t tmpfs -o mode=1777 tmpfs /mnt/dev/shm
$b mount -t tmpfs -o mode=755 tmpfs /mnt/run
$b mount -t proc proc /mnt/proc
$b mount -t sysfs sysfs /mnt/sys
$b mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /mnt/sys/fs/cgroup

# QEMU's user network: the host is 10.0.2.2, and the guest always 10.0.2.15.
for device in /mnt/sys/class/net/e*; do device=${device##*/}; done
$b ip link set lo up
$b ip link set "$device" up
$b ip addr add 10.0.2.15/24 dev "$device"
$b ip route add default via 10.0.2.2

program=/usr/local/lib/testbed/init
if [ -e /seed/is-node ]; then
    $b rm /seed/is-node
    $b mount -t ext4 -o noatime /mnt/dev/vdb /mnt/var/lib/node
    program=/sbin/init
fi
if [ -d /seed ]; then $b cp -a /seed/. /mnt/; fi
exec $b switch_root /mnt $program
