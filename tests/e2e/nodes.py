"""Nodes beside the tiered one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from cases.policies import policy
from story.stage import Stage
from testbed import evidence, kernels, node
from testbed.guest import Guest
from testbed.topology import TWO_TIERS, Topology


@contextmanager
def joined(
    tiered: Stage,
    directory: Path,
    name: str,
    *,
    kernel: str | None = None,
    topology: Topology = TWO_TIERS,
    append: str = "",
    kubelet: Mapping[str, object] | None = None,
    everywhere: bool = False,
    **spec: Any,
) -> Iterator[Guest]:
    """Boots another node that follows a policy of its own, `other`, of this `spec`; ends both.

    With `everywhere` it is a policy for all nodes, the tiered one included.

    What it tells is kept in `artifacts/e2e/NAME` when anything fails meanwhile.
    """
    guest = node.prepare(
        tiered.cluster,
        name,
        directory=directory,
        images=tiered.images,
        kernel=kernels.kernel(kernel) if kernel else None,
        topology=topology,
        append=append,
        kubelet=kubelet,
    )
    own = {"nodeSelector": {"matchLabels": {"kubernetes.io/hostname": name}}}
    manifest = policy("other", mode="Enforce", **({"allNodes": True} if everywhere else own), **spec)
    try:
        with evidence.saved_on_failure(guest, evidence.ARTIFACTS / "e2e" / name):
            node.start(tiered.cluster, guest)
            tiered.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
            tiered.wait("jsonpath={.spec.action}=Manage", f"nodetiering/{name}", limit_s=60)
            yield guest
    except Exception:
        if not guest.stopped:
            guest.expect_running()  # a node that is gone is why everything else failed
        raise
    finally:
        guest.stop()
        tiered.cluster.kubectl("delete", "tieringpolicy", "other", "--ignore-not-found")
        tiered.cluster.kubectl("delete", "node", name, "--ignore-not-found")


def status_of(tiered: Stage, name: str) -> dict[str, Any]:
    """Returns the status of a node's NodeTiering."""
    found: dict[str, Any] = yaml.safe_load(tiered.cluster.kubectl("get", "nodetiering", name, "-o", "yaml").stdout)
    return found["status"]  # type: ignore[no-any-return]
