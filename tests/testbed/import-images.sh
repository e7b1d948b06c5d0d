#!/bin/sh
# import-images.sh ROOT DISK ARCHIVES: imports every archive below ARCHIVES into DISK/containerd, by the containerd
# of the Debian below ROOT. Runs in mount and pid namespaces of its own: all mounts and processes end with it.
set -e
root=$1 disk=$2 archives=$3
mount --bind "$root" "$root" # containerd wants its root to be a mount point
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir tmp/archives
mount --bind "$disk" var/lib/node
mount --bind "$archives" tmp/archives

chroot . containerd &
server=$!
# "ctr version" would answer before the server can do anything.
attempts=0
until chroot . ctr --namespace k8s.io images ls --quiet >/dev/null 2>&1; do
    attempts=$((attempts + 1))
    if [ $attempts -gt 150 ]; then
        echo "containerd does not answer" >&2
        exit 1
    fi
    sleep 0.1
done
for archive in tmp/archives/*.tar; do
    chroot . ctr --namespace k8s.io images import "/$archive"
done
kill $server
wait $server || true
