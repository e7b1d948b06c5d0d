"""What a node and a cluster are like without Terrace, to hold an uninstall to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.client import Client
from testbed.guest import Guest

_SCRIPT = r"""
import glob, json, os

TREES = ("/sys/kernel/mm/damon", "/sys/kernel/mm/numa", "/run/terrace")
FILES = ("/proc/sys/kernel/numa_balancing*", "/sys/module/damon*/parameters/*")
CGROUP = ("memory.min", "memory.low", "memory.high", "memory.max", "memory.swap.max", "cpuset.cpus", "cpuset.mems")
PODS = "/sys/fs/cgroup/kubepods.slice"

def below(top):
    return [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]

def content(path):
    try:
        return open(path).read().strip()
    except OSError as error:
        return error.strerror

paths = [path for tree in TREES for path in below(tree)]
# What is not for writing is a reading, such as those of damon_stat.
paths += [path for pattern in FILES for path in glob.glob(pattern) if os.stat(path).st_mode & 0o200]
paths += [os.path.join(folder, name) for folder, _, names in os.walk(PODS) for name in CGROUP if name in names]
print(json.dumps({path: content(path) for path in paths}))
"""
_OBJECTS = r'jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}{"\n"}{end}'
_KUBELETS = "Lease/kube-node-lease/"
_COME_AND_GO = ("events", "events.events.k8s.io", "componentstatuses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Untouched:
    """Before Terrace was installed.

    Attributes:
        node: content by path: DAMON's whole tree, the switches, the state directory, every cgroup of pods.
        objects: KIND/NAMESPACE/NAME of all objects of the cluster.
    """

    node: Mapping[str, str]
    objects: frozenset[str]


def seen(client: Client, guest: Guest) -> Untouched:
    """Returns what is there now."""
    return Untouched(node=of_node(guest), objects=of_cluster(client))


def of_node(guest: Guest) -> dict[str, str]:
    """Returns the content of every file of the node that Terrace changes, or might leave."""
    found: dict[str, str] = json.loads(guest.run("python3 -", stdin=_SCRIPT.encode()).stdout)
    return found


def of_cluster(client: Client) -> frozenset[str]:
    """Returns all objects but those that come and go by themselves."""
    kinds = client.kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    listed = ",".join(kind for kind in kinds if kind not in _COME_AND_GO)
    found = client.kubectl("get", listed, "--all-namespaces", "-o", _OBJECTS).stdout.split()
    return frozenset(one for one in found if not one.startswith(_KUBELETS))
