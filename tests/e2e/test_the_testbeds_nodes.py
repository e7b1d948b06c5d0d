"""A guest that joined is a node like any other: what the tests of the main job take for granted."""

from collections.abc import Iterator

import pytest
import yaml

from story.stage import Stage
from testbed import waiting
from testbed.build_workload import HOTCOLD_IMAGE
from testbed.cluster import Cluster
from testbed.guest import Guest

pytestmark = pytest.mark.e2e
CLIENT = "/var/run/secrets/kubernetes.io/serviceaccount"
POD = "small"


@pytest.fixture(scope="module")
def cluster(tiered: Stage) -> Cluster:
    return tiered.cluster


@pytest.fixture(scope="module")
def joined(tiered: Stage) -> Guest:
    return tiered.guest


@pytest.fixture(scope="module")
def pod(cluster: Cluster, joined: Guest) -> Iterator[str]:
    container = {"name": POD, "image": HOTCOLD_IMAGE, "args": ["--hot-mib=8", "--cold-mib=8", "--interval-s=1"]}
    spec = {"nodeName": joined.name, "containers": [container], "terminationGracePeriodSeconds": 1}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=300s", limit_s=310)
    yield POD
    cluster.kubectl("delete", "pod", POD)


def test_logs_of_a_pod_come_through_the_api_server(cluster: Cluster, pod: str) -> None:
    cluster.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].started}=true", f"pod/{pod}")
    waiting.until(
        lambda: '"hot_bytes_by_nid"' in cluster.kubectl("logs", pod).stdout, "the pod's first line", limit_s=30
    )


def test_exec_runs_in_the_pod(cluster: Cluster, pod: str) -> None:
    answer = cluster.kubectl("exec", pod, "--", "/hotcold", "--hot-mib=1", "--cold-mib=1", "--seconds=0.1")
    assert '"hot_bytes_by_nid":{"1":1048576}' in answer.stdout


def test_a_pod_reaches_the_api_server_by_its_service(cluster: Cluster, joined: Guest, pod: str) -> None:
    pid = joined.run("pgrep --oldest hotcold").stdout.strip()
    token = joined.read(f"/proc/{pid}/root{CLIENT}/token")
    program = (
        "import ssl, sys, urllib.request as u;"
        f"tls = ssl.create_default_context(cafile='/proc/{pid}/root{CLIENT}/ca.crt');"
        "print(u.urlopen(u.Request('https://10.96.0.1/version',"
        " headers={'Authorization': 'Bearer ' + sys.argv[1]}), context=tls, timeout=20).status)"
    )
    script = f'nsenter --target {pid} --net python3 -c "$1" "$2"'
    answer = joined.run(f"set -- {_quoted(program)} {_quoted(token)}\n{script}")
    assert answer.stdout == "200\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
