#!/bin/busybox sh
# The guest's first program: loads the modules of the initrd, mounts the disks, adds the seed, starts systemd.
b=/bin/busybox
$b mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do $b insmod "$module"; done

wait_for() {
    i=0
    while [ ! -b "$1" ] && [ $i -lt 100 ]; do $b sleep 0.1; i=$((i + 1)); done
}

wait_for /dev/vda
$b mount -t ext4 -o noatime /dev/vda /mnt
if [ -e /seed/has-node-disk ]; then
    wait_for /dev/vdb
    $b mount -t ext4 -o noatime /dev/vdb /mnt/var/lib/node
    $b rm /seed/has-node-disk
fi
if [ -d /seed ]; then $b cp -a /seed/. /mnt/; fi
$b mount --move /dev /mnt/dev
exec $b switch_root /mnt /sbin/init
