#!/bin/bash
# needs.sh test|demo: says what `make test` or `make demo` needs and how long it takes, and ends with 1 if it is not there.
# $MEMINFO is for tests.
set -euo pipefail
what=$1
cache=${TERRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/terrace}

case $what in
test) memory_gib=6 minutes=25 first_minutes=40 ;;
demo) memory_gib=4 minutes=4 first_minutes=30 ;;
esac
# The cache takes the most, and only once.
if [[ -d $cache/controlplane ]]; then disk_gib=4 took="about $minutes min"; else
    disk_gib=15 took="about $first_minutes min the first time (a control plane is compiled), $minutes min after that"; fi
echo "make $what: needs root, $memory_gib GiB of free memory, $disk_gib GiB of disk in $cache, a Debian mirror, PyPI and a Go module proxy."
echo "make $what: $took."

# The first directory above the cache that exists is on its file system.
place=$cache
until [[ -d $place ]]; do place=$(dirname "$place"); done
free_disk_mib=$(df --output=avail --block-size=1M "$place" | tail -n 1)
free_memory_kib=$(awk '/^MemAvailable:/ {print $2}' "${MEMINFO:-/proc/meminfo}")

problems=0
lacks() {
    echo "make $what: needs $1 GiB of $2, and there are only $(($3 / 1024)).$(($3 % 1024 * 10 / 1024))${4:-}" >&2
    problems=1
}
((free_memory_kib / 1024 >= memory_gib * 1024)) || lacks "$memory_gib" "free memory" $((free_memory_kib / 1024))
((free_disk_mib >= disk_gib * 1024)) || lacks "$disk_gib" disk "$free_disk_mib" " in $place"
exit $problems
