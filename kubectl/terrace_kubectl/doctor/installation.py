"""Is everything installed, running, and of one version? Pure.

Before: `facts`. After: `checks`.
"""

from collections.abc import Iterator

from terrace_api import API_VERSION
from terrace_kubectl.doctor.facts import Crd, Facts, Workload
from terrace_kubectl.doctor.findings import Finding, Level, good, problem

OLDEST = (1, 32)
"""ValidatingAdmissionPolicies see the node that a service account's token is bound to since then."""
_UPGRADE = "helm upgrade, with crds.install=true"


def kubernetes(facts: Facts) -> Iterator[Finding]:
    """Is Kubernetes new enough?"""
    if facts.server_version is None:
        return
    version = "{}.{}".format(*facts.server_version)
    if facts.server_version >= OLDEST:
        yield good("Kubernetes", version)
    else:
        needed = "{}.{}".format(*OLDEST)
        yield problem(
            "Kubernetes",
            f"{version}: an agent's token names its node since {needed} only, so agents cannot write their status",
            f"upgrade the cluster to {needed} or newer",
        )


def crds(facts: Facts) -> Iterator[Finding]:
    """Are the kinds there, and do they know all fields?"""
    for name, crd in (facts.crds or {}).items():
        yield _crd(name, crd)


def admission(facts: Facts) -> Iterator[Finding]:
    """Is an agent held to the status of its own node?"""
    if facts.admission is None:
        return
    if facts.admission:
        yield good("Admission policy", f"{', '.join(facts.admission)} holds agents to their own node's status")
    else:
        yield problem(
            "Admission policy",
            "no ValidatingAdmissionPolicy with a binding: an agent's token can write every node's status",
            "helm upgrade: templates/admission.yaml of the chart is missing",
        )


def operator(facts: Facts) -> Iterator[Finding]:
    """Is there one operator, and does it run?"""
    if facts.operators is not None:
        yield from _workload(
            "Operator", "operator", facts.operators, "policies reach no node, and statuses stand still"
        )


def leader(facts: Facts) -> Iterator[Finding]:
    """Does one of the operators write?"""
    for lease in facts.leases or ():
        where = f"Lease {lease.namespace}/{lease.name}"
        means = "no operator writes, so policies reach no node and statuses stand still"
        look = f"kubectl -n {lease.namespace} logs -l app.kubernetes.io/component=operator --prefix"
        if not lease.holder:
            yield problem("Leader", f"nobody holds {where}: {means}", look)
        elif not lease.renewed:
            yield problem("Leader", f"{lease.holder} holds {where} and does not renew it: {means}", look)
        else:
            yield good("Leader", f"{lease.holder} renews {where}")


def agents(facts: Facts) -> Iterator[Finding]:
    """Is there one DaemonSet, and do its pods run?"""
    if facts.agents is not None:
        yield from _workload("Agents", "agent", facts.agents, "these nodes keep what they have")


def versions(facts: Facts) -> Iterator[Finding]:
    """Are operator, agents and this plugin of one version?"""
    found = {one.version for one in (*(facts.operators or ()), *(facts.agents or ())) if one.version}
    if found and found != {facts.version}:
        yield Finding(
            level=Level.NOTE,
            topic="Versions",
            what=f"on the cluster {', '.join(sorted(found))}, this plugin {facts.version}",
            cure="use the plugin of the cluster's version: a newer one may ask for what is not there",
        )


def _crd(name: str, crd: Crd | None) -> Finding:
    if crd is None:
        return problem(f"CRD {name}", "it is not there", f"helm install (or {_UPGRADE})")
    if not crd.established:
        return problem(f"CRD {name}", "the API server does not serve it", f"kubectl describe crd {name}")
    if crd.missing:
        few = ", ".join(crd.missing[:3]) + (", ..." if len(crd.missing) > 3 else "")
        what = f"it is older than this plugin: it lacks {len(crd.missing)} fields ({few})"
        return problem(f"CRD {name}", what, f"{_UPGRADE}; or use the plugin of the cluster's version")
    if crd.newer:
        what = f"it is newer than this plugin: {len(crd.newer)} fields are unknown here"
        return Finding(level=Level.NOTE, topic=f"CRD {name}", what=what, cure="upgrade the plugin")
    return good(f"CRD {name}", f"{API_VERSION}, all fields")


def _workload(topic: str, component: str, found: tuple[Workload, ...], means: str) -> Iterator[Finding]:
    labels = f"app.kubernetes.io/name=terrace,app.kubernetes.io/component={component}"
    if not found:
        yield problem(topic, f"none is installed: {means}", f"helm install; looked for pods with {labels}")
    elif len(found) > 1:
        named = ", ".join(f"{one.namespace}/{one.name}" for one in found)
        yield problem(topic, f"installed {len(found)} times: {named}", "helm uninstall all but one of them")
    for one in found:
        ready = f"{one.ready} of {one.wanted} pods of {one.namespace}/{one.name} are ready"
        if one.ready >= one.wanted > 0:
            yield good(topic, ready)
        elif one.wanted == 0:
            yield problem(
                topic, f"{one.namespace}/{one.name} wants no pod: {means}", "scale it up, or see its nodeSelector"
            )
        else:
            look = f"kubectl -n {one.namespace} get pods -l {labels} -o wide, then describe and logs"
            yield problem(topic, f"{ready}: {means}" if not one.ready else ready, look)
