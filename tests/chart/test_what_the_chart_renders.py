"""What an installation consists of, by default and with each optional value, as the real helm renders it."""

from pathlib import Path

import pytest
import yaml

from chart.rendering import CHART, DIGEST, EVERYTHING, Json, Rendered, helm, render
from golden.update import Golden

pytestmark = pytest.mark.cluster
GOLDEN = Path(__file__).parents[1] / "golden/chart"
ALWAYS = {
    ("ClusterRole", "terrace-agent"),
    ("ClusterRole", "terrace-editor"),
    ("ClusterRole", "terrace-operator"),
    ("ClusterRole", "terrace-test"),
    ("ClusterRole", "terrace-viewer"),
    ("ClusterRoleBinding", "terrace-agent"),
    ("ClusterRoleBinding", "terrace-operator"),
    ("ClusterRoleBinding", "terrace-test"),
    ("CustomResourceDefinition", "nodetierings.terrace.dev"),
    ("CustomResourceDefinition", "tieringpolicies.terrace.dev"),
    ("DaemonSet", "terrace-agent"),
    ("Deployment", "terrace-operator"),
    ("Job", "terrace-cleanup"),
    ("Pod", "terrace-test"),
    ("PodDisruptionBudget", "terrace-operator"),
    ("Role", "terrace-operator"),
    ("Role", "terrace-operator-events"),
    ("Role", "terrace-test"),
    ("RoleBinding", "terrace-operator"),
    ("RoleBinding", "terrace-operator-events"),
    ("RoleBinding", "terrace-test"),
    ("ServiceAccount", "terrace-agent"),
    ("ServiceAccount", "terrace-operator"),
    ("ServiceAccount", "terrace-test"),
    ("ValidatingAdmissionPolicy", "terrace-agent-own-status"),
    ("ValidatingAdmissionPolicyBinding", "terrace-agent-own-status"),
}


@pytest.fixture(scope="module")
def default() -> Rendered:
    return render()


@pytest.fixture(scope="module")
def everything() -> Rendered:
    return render(*EVERYTHING)


def test_by_default_nothing_optional_is_there(default: Rendered) -> None:
    assert default.names() == ALWAYS


@pytest.mark.parametrize(
    ("setting", "there", "gone"),
    [
        ("networkPolicy.enabled=true", {("NetworkPolicy", "terrace")}, set()),
        ("podMonitor.enabled=true", {("PodMonitor", "terrace")}, set()),
        ("resourceQuota.enabled=true", {("ResourceQuota", "terrace")}, set()),
        (
            "openshift.scc=true",
            {
                ("SecurityContextConstraints", "terrace-agent"),
                ("Role", "terrace-agent-scc"),
                ("Role", "terrace-operator-scc"),
                ("RoleBinding", "terrace-agent-scc"),
                ("RoleBinding", "terrace-operator-scc"),
            },
            set(),
        ),
        (
            "flowControl.enabled=true",
            {
                ("PriorityLevelConfiguration", "terrace-agent"),
                ("FlowSchema", "terrace-agent"),
                ("FlowSchema", "terrace-operator-lease"),
            },
            set(),
        ),
        ("operator.replicas=1", set(), {("PodDisruptionBudget", "terrace-operator")}),
        ("cleanup.enabled=false", set(), {("Job", "terrace-cleanup")}),
        ("crds.install=false", set(), {one for one in ALWAYS if one[0] == "CustomResourceDefinition"}),
    ],
)
def test_an_option_adds_and_removes_what_it_is_about(
    setting: str, there: set[tuple[str, str]], gone: set[tuple[str, str]]
) -> None:
    assert render(setting).names() == ALWAYS - gone | there


def test_crds_are_kept_unless_somebody_says_otherwise(default: Rendered) -> None:
    kept = {"helm.sh/resource-policy": "keep"}
    assert [one["metadata"].get("annotations") for one in default.of("CustomResourceDefinition")] == [kept, kept]
    dropped = render("crds.keep=false").of("CustomResourceDefinition")
    assert [one["metadata"].get("annotations") for one in dropped] == [None, None]


HELMS_OWN_LIMIT_S = 300
"""What `helm uninstall` waits for a hook, unless `--timeout` says otherwise."""


def test_a_clean_up_whose_pod_never_runs_ends_before_helm_gives_up(default: Rendered) -> None:
    """As where its image cannot be pulled: the Job says then why, and nothing goes on after helm."""
    job, pod = default.one("Job")["spec"], default.pods()["cleanup"]["spec"]
    assert job["activeDeadlineSeconds"] + pod["terminationGracePeriodSeconds"] < HELMS_OWN_LIMIT_S


def test_a_clean_up_has_its_own_limit_and_some_time_to_start(default: Rendered) -> None:
    for found, limit_s in ((default, 240), (render("cleanup.limitSeconds=60"), 60)):
        assert f"--limit={limit_s}" in found.container("cleanup")["args"]
        assert found.one("Job")["spec"]["activeDeadlineSeconds"] == limit_s + 30


def test_the_replicas_are_spread_over_nodes_and_zones_where_there_are_any(default: Rendered) -> None:
    pod = default.pods()["operator"]
    spread = pod["spec"]["topologySpreadConstraints"]
    assert [(one["topologyKey"], one["whenUnsatisfiable"]) for one in spread] == [
        ("kubernetes.io/hostname", "ScheduleAnyway"),
        ("topology.kubernetes.io/zone", "ScheduleAnyway"),
    ]
    assert all(selects(one["labelSelector"], pod) for one in spread)


def test_a_drain_takes_one_replica_at_a_time(default: Rendered) -> None:
    budget = default.one("PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert [name for name, pod in default.pods().items() if selects(budget["selector"], pod)] == ["operator"]


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ((), "terrace-operator:0.1.0"),
        (("imageTag=v1",), "terrace-operator:v1"),
        (("imageTag=v1", "operator.image.tag=v2"), "terrace-operator:v2"),
        (
            ("operator.image.repository=localhost:5000/x", f"operator.image.digest={DIGEST}", "operator.image.tag=v2"),
            f"localhost:5000/x@{DIGEST}",
        ),
    ],
)
def test_an_image_is_named_by_digest_or_by_tag(settings: tuple[str, ...], image: str) -> None:
    found = render(*settings)
    assert {found.container(one)["image"] for one in ("operator", "cleanup", "test")} == {image}


def test_one_tag_is_enough_for_both_images() -> None:
    found = render("imageTag=v1")
    assert [found.container(one)["image"] for one in ("operator", "agent")] == [
        "terrace-operator:v1",
        "terrace-agent:v1",
    ]


def test_the_digest_of_the_agents_image_is_also_what_people_are_told_to_run_by_hand() -> None:
    found = render(f"agent.image.digest={DIGEST}")
    assert found.container("agent")["image"] == f"terrace-agent@{DIGEST}"
    told = {one["name"]: one["value"] for one in found.container("cleanup")["env"]}
    assert told["TERRACE_AGENT_IMAGE"] == f"terrace-agent@{DIGEST}"


def test_a_network_policy_lets_metrics_in_and_the_api_server_out_for_every_pod(everything: Rendered) -> None:
    spec = everything.one("NetworkPolicy")["spec"]
    assert [name for name, pod in everything.pods().items() if not selects(spec["podSelector"], pod)] == []
    (ingress,), (egress,) = spec["ingress"], spec["egress"]
    assert ingress == {
        "ports": [{"protocol": "TCP", "port": "http"}],
        "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    }
    assert egress == {
        "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}],
        "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
    }


def test_a_network_policy_without_peers_names_ports_only() -> None:
    spec = render("networkPolicy.enabled=true").one("NetworkPolicy")["spec"]
    assert [list(rule) for rule in (*spec["ingress"], *spec["egress"])] == [["ports"], ["ports"]]


def test_what_is_scraped_is_what_serves_metrics(everything: Rendered) -> None:
    monitor = everything.one("PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    scraped = [name for name, pod in everything.pods().items() if selects(monitor["spec"]["selector"], pod)]
    assert sorted(scraped) == ["agent", "operator"]
    for name in scraped:
        assert endpoint["port"] in [port["name"] for port in everything.container(name)["ports"]]


def test_a_quota_counts_the_priority_classes_that_are_used(everything: Rendered) -> None:
    assert everything.one("ResourceQuota")["spec"] == {
        "hard": {"pods": "10000"},
        "scopeSelector": {
            "matchExpressions": [
                {
                    "scopeName": "PriorityClass",
                    "operator": "In",
                    "values": ["system-node-critical", "system-cluster-critical"],
                }
            ]
        },
    }
    values = render("resourceQuota.enabled=true").one("ResourceQuota")["spec"]["scopeSelector"]["matchExpressions"]
    assert values[0]["values"] == ["system-node-critical"]


@pytest.mark.parametrize(
    ("granted", "more"),
    [
        ((), []),
        (("numaBalancing.enabled=true",), []),
        (("movePages.enabled=true",), ["allowHostPID"]),
        (("movePages.enabled=true", "movePages.idlePages=true"), ["allowHostPID"]),
    ],
)
def test_openshift_admits_the_agents_pod_and_little_else(granted: tuple[str, ...], more: list[str]) -> None:
    rendered = render("openshift.scc=true", "agent.seLinuxOptions.type=spc_t", *granted)
    constraints, pod = rendered.one("SecurityContextConstraints"), rendered.pods()["agent"]["spec"]
    kinds = {next(key for key in volume if key != "name") for volume in pod["volumes"]} | {"projected"}  # its token
    assert kinds == set(constraints["volumes"])
    assert constraints["allowHostPID"] == pod.get("hostPID", False)
    assert constraints["seLinuxContext"] == {"type": "MustRunAs", "seLinuxOptions": {"type": "spc_t"}}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["seLinuxOptions"] == {"type": "spc_t"}
        assert context["runAsUser"] == constraints["runAsUser"]["uid"]
        assert context["capabilities"]["drop"] == constraints["requiredDropCapabilities"]
        assert context["readOnlyRootFilesystem"] is constraints["readOnlyRootFilesystem"]
    added = [name for one in pod["containers"] for name in one["securityContext"]["capabilities"].get("add", ())]
    assert sorted(added) == sorted(constraints["allowedCapabilities"])
    profiles = {one["securityContext"]["seccompProfile"]["type"] for one in pod["containers"]}
    assert constraints["seccompProfiles"] == (["runtime/default"] if profiles == {"RuntimeDefault"} else ["*"])
    allowed = [key for key in constraints if key.startswith("allow") and constraints[key] is True]
    assert allowed == ["allowHostDirVolumePlugin", *more]


def test_whoever_runs_as_a_uid_of_its_own_may_use_openshifts_constraints_for_that(everything: Rendered) -> None:
    (rule,) = everything.one("Role", "terrace-operator-scc")["rules"]
    assert rule["resourceNames"] == ["nonroot-v2"]
    bound = {one["name"] for one in everything.one("RoleBinding", "terrace-operator-scc")["subjects"]}
    pods = everything.pods()
    assert bound == {pods[name]["spec"]["serviceAccountName"] for name in ("operator", "cleanup", "test")}


def test_selinux_options_are_the_agents_alone(everything: Rendered, default: Rendered) -> None:
    assert everything.container("agent")["securityContext"]["seLinuxOptions"] == {"type": "spc_t"}
    assert "seLinuxOptions" not in default.container("agent")["securityContext"]
    assert "seLinuxOptions" not in everything.container("operator")["securityContext"]


def test_viewers_are_part_of_view_and_editors_are_not_part_of_edit(default: Rendered) -> None:
    aggregated = {
        one["metadata"]["name"]: [label for label in one["metadata"]["labels"] if "aggregate" in label]
        for one in default.of("ClusterRole")
    }
    assert {name: labels for name, labels in aggregated.items() if labels} == {
        "terrace-viewer": ["rbac.authorization.k8s.io/aggregate-to-view"]
    }
    viewer = default.one("ClusterRole", "terrace-viewer")["rules"]
    assert {verb for rule in viewer for verb in rule["verbs"]} == {"get", "list", "watch"}
    writes = [rule for rule in default.one("ClusterRole", "terrace-editor")["rules"] if "create" in rule["verbs"]]
    assert [rule["resources"] for rule in writes] == [["tieringpolicies"]]


def test_no_rule_has_a_wildcard_or_reads_secrets(everything: Rendered) -> None:
    for role in everything.of("Role", "ClusterRole"):
        for rule in role["rules"]:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
            assert not {"secrets", "configmaps"} & set(rule["resources"])


def test_the_test_may_look_and_nothing_else(default: Rendered) -> None:
    roles = [one for one in default.of("Role", "ClusterRole") if one["metadata"]["name"] == "terrace-test"]
    assert {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_nothing_of_a_test_stays_behind(default: Rendered) -> None:
    hooks = [one for one in default.manifests if one["metadata"]["name"] == "terrace-test"]
    assert len(hooks) == 6
    for one in hooks:
        annotations = one["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "test"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded,hook-failed"


def test_the_tests_pod_comes_after_its_rights_and_its_output_is_shown(default: Rendered) -> None:
    pod = default.one("Pod")["metadata"]["annotations"]
    assert pod["helm.sh/hook-output-log-policy"] == "hook-succeeded,hook-failed"
    assert "helm.sh/hook-weight" not in pod
    others = [one for one in default.manifests if one["metadata"]["name"] == "terrace-test" and one["kind"] != "Pod"]
    assert {one["metadata"]["annotations"]["helm.sh/hook-weight"] for one in others} == {"-1"}


@pytest.mark.parametrize("component", ["operator", "cleanup", "test"])
def test_all_but_the_agent_fit_into_a_restricted_namespace(component: str, everything: Rendered) -> None:
    """As Pod Security's profile `restricted` asks: pkg policy of k8s.io/pod-security-admission."""
    pod = everything.pods()[component]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"volumes", "hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_every_pod_is_for_nodes_with_linux_also_where_other_labels_are_asked_for() -> None:
    """There is no image for Windows; a map of helm's is added to, not replaced."""
    found = render("operator.nodeSelector.pool=infra", "agent.nodeSelector.pool=infra").pods()
    wanted = {"kubernetes.io/os": "linux", "pool": "infra"}
    assert {name: pod["spec"].get("nodeSelector") for name, pod in found.items()} == dict.fromkeys(found, wanted)


@pytest.mark.parametrize(
    ("labels", "runs"),
    [
        ({}, True),
        ({"type": "gpu", "eks.amazonaws.com/compute-type": "ec2"}, True),
        ({"type": "virtual-kubelet"}, False),
        ({"eks.amazonaws.com/compute-type": "fargate"}, False),
    ],
)
def test_an_agent_runs_on_every_node_but_those_that_are_no_machines(
    default: Rendered, labels: dict[str, str], runs: bool
) -> None:
    """Their taints do not keep it off, since it tolerates all."""
    assert requires(default.pods()["agent"]["spec"].get("affinity", {}), labels) is runs


def test_an_affinity_of_ones_own_is_taken_as_it_is() -> None:
    at = "agent.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
    first = f"{at}.matchExpressions[0]"
    found = render(f"{first}.key=pool", f"{first}.operator=In", f"{first}.values[0]=cxl").pods()["agent"]["spec"]
    assert requires(found["affinity"], {"pool": "cxl"})
    assert not requires(found["affinity"], {})
    assert "affinity" not in render("agent.affinity=null").pods()["agent"]["spec"]


def test_every_pod_has_requests_and_a_memory_limit(everything: Rendered) -> None:
    for pod in everything.pods().values():
        for container in pod["spec"]["containers"]:
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("settings", [(), EVERYTHING], ids=["default", "everything"])
def test_lint_finds_nothing(settings: tuple[str, ...]) -> None:
    done = helm("lint", "--strict", str(CHART), *(word for one in settings for word in ("--set", one)))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["default", "everything"])
def test_a_rendering_is_as_in_the_file(name: str, golden: Golden, request: pytest.FixtureRequest) -> None:
    """Without the CRDs, which are a file of their own."""
    rendered: Rendered = request.getfixturevalue(name)
    found = [one for one in rendered.manifests if one["kind"] != "CustomResourceDefinition"]
    golden.check(GOLDEN / f"{name}.yaml", yaml.safe_dump_all(found, sort_keys=False))


def selects(selector: Json, pod: Json) -> bool:
    """Returns whether a `metav1.LabelSelector` of the kind that the chart writes selects a pod."""
    labels = pod["metadata"]["labels"]
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ()))


def requires(affinity: Json, labels: dict[str, str]) -> bool:
    """Returns whether a node of these labels meets what a `nodeAffinity` requires; with In and NotIn only."""
    required = affinity.get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = [term["matchExpressions"] for term in required["nodeSelectorTerms"]] if required else [[]]
    return any(
        all((labels.get(one["key"]) in one["values"]) is (one["operator"] == "In") for one in term) for term in terms
    )
