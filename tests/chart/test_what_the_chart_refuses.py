"""Values that mean nothing, as the real helm refuses them: each by its name."""

import pytest

from chart.rendering import refusal

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("agent.hostPorc=true", "at '/agent': additional properties 'hostPorc' not allowed"),
        ("agnet.port=1", "additional properties 'agnet' not allowed"),
        ("agent.port=0", "at '/agent/port': minimum: got 0, want 1"),
        ("operator.replicas=0", "at '/operator/replicas': minimum: got 0, want 1"),
        ("operator.replicas=two", "at '/operator/replicas': got string, want integer"),
        ("operator.image.digest=latest", "at '/operator/image/digest': 'latest' does not match pattern"),
        ("agent.image.repository=terrace-agent:1", "at '/agent/image/repository': 'terrace-agent:1' does not match"),
        ("agent.image.repository=x@sha256:0", "at '/agent/image/repository': 'x@sha256:0' does not match"),
        ("agent.image.pullPolicy=Sometimes", "at '/agent/image/pullPolicy': value must be one of"),
        ("imageTag=a b", "at '/imageTag': 'a b' does not match pattern"),
        ("imagePullSecrets[0]=registry", "at '/imagePullSecrets/0': got string, want object"),
        ("agent.seLinuxOptions.typ=spc_t", "at '/agent/seLinuxOptions': additional properties 'typ' not allowed"),
        ("operator.resources.request.cpu=1", "at '/operator/resources': additional properties 'request' not allowed"),
        ("operator.tolerations[0].kez=a", "at '/operator/tolerations/0': additional properties 'kez' not allowed"),
        ("agent.nodeSelector.a=1", "at '/agent/nodeSelector/a': got number, want string"),
        ("networkPolicy.apiServer.cidrs[0]=10.0.0.1", "at '/networkPolicy/apiServer/cidrs/0': '10.0.0.1' does not"),
        ("networkPolicy.apiServer.ports=null", "at '/networkPolicy/apiServer': missing property 'ports'"),
        ("agent.affinity.nodeAfinity.x=1", "at '/agent/affinity': additional properties 'nodeAfinity' not allowed"),
        ("networkPolicy.metricsFrom[0].name=x", "at '/networkPolicy/metricsFrom/0': additional properties 'name'"),
        ("podMonitor.interval=often", "at '/podMonitor/interval': 'often' does not match pattern"),
        ("resourceQuota.pods=0", "at '/resourceQuota/pods': minimum: got 0, want 1"),
        ("openshift.scc=yes", "at '/openshift/scc': got string, want boolean"),
        ("openshift=null", "missing property 'openshift'"),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_name(setting: str, says: str) -> None:
    assert says in refusal(setting)


def test_a_quota_in_kube_system_would_bound_other_pods() -> None:
    assert "resourceQuota.enabled: not in kube-system" in refusal("resourceQuota.enabled=true", namespace="kube-system")


def test_a_quota_for_no_priority_class_would_bound_all_pods() -> None:
    said = refusal("resourceQuota.enabled=true", "agent.priorityClassName=")
    assert "resourceQuota.enabled: a quota for a priority class needs agent.priorityClassName" in said


def test_an_old_kubernetes_is_refused() -> None:
    said = refusal(flags=("--kube-version", "1.31.9"))
    assert "chart requires kubeVersion: >=1.32.0-0" in said
