"""The chart as helm renders it; no server is asked."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from testbed.build_controlplane import controlplane

CHART = Path(__file__).parents[2] / "deploy/helm/terrace"
NAMESPACE = "terrace-system"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
EVERYTHING = (
    "operator.replicas=3",
    f"operator.image.digest={DIGEST}",
    "operator.priorityClassName=system-cluster-critical",
    "agent.hostProc=true",
    "agent.seLinuxOptions.type=spc_t",
    "imagePullSecrets[0].name=registry",
    "flowControl.enabled=true",
    "networkPolicy.enabled=true",
    "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring",
    "networkPolicy.apiServer.cidrs[0]=10.0.0.1/32",
    "podMonitor.enabled=true",
    "podMonitor.labels.release=prometheus",
    "resourceQuota.enabled=true",
    "openshift.scc=true",
)
Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What helm made of the chart."""

    manifests: tuple[Json, ...]

    def names(self) -> set[tuple[str, str]]:
        """Returns kind and name of everything."""
        return {(one["kind"], one["metadata"]["name"]) for one in self.manifests}

    def one(self, kind: str, name: str = "") -> Json:
        """Returns the only object of a kind, or the one of that name."""
        (found,) = [one for one in self.of(kind) if name in ("", one["metadata"]["name"])]
        return found

    def of(self, *kinds: str) -> list[Json]:
        """Returns all objects of these kinds."""
        return [one for one in self.manifests if one["kind"] in kinds]

    def pods(self) -> dict[str, Json]:
        """Returns the pods by component, each with its metadata."""
        found = [one if one["kind"] == "Pod" else one["spec"]["template"] for one in self.of(*_WITH_PODS)]
        return {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod for pod in found}

    def container(self, component: str) -> Json:
        """Returns the first container of a component's pod."""
        return self.pods()[component]["spec"]["containers"][0]


_WITH_PODS = ("Deployment", "DaemonSet", "Job", "Pod")


@cache
def render(*settings: str, namespace: str = NAMESPACE, flags: tuple[str, ...] = ()) -> Rendered:
    """Returns what the chart is with these settings, as in `agent.port=80`; to be read only."""
    done = template(*settings, namespace=namespace, flags=flags)
    assert done.returncode == 0, done.stderr
    return Rendered(manifests=tuple(one for one in yaml.safe_load_all(done.stdout) if one))


def refusal(*settings: str, namespace: str = NAMESPACE, flags: tuple[str, ...] = ()) -> str:
    """Returns why helm does not render the chart with these settings."""
    done = template(*settings, namespace=namespace, flags=flags)
    assert done.returncode != 0
    return done.stderr


def template(*settings: str, namespace: str, flags: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Runs `helm template`."""
    return helm("template", "terrace", str(CHART), "--namespace", namespace, *_set(settings), *flags)


def notes(*settings: str) -> str:
    """Returns what a person reads after the installation."""
    namespace = ("--namespace", NAMESPACE)
    done = helm("install", "terrace", str(CHART), *namespace, "--dry-run=client", *_set(settings))
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs helm with nothing of this machine's own settings."""
    with tempfile.TemporaryDirectory() as home:
        environment = {f"HELM_{name}_HOME": home for name in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [_program(), *arguments],
            env={**os.environ, **environment, "KUBECONFIG": os.devnull},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@cache
def _program() -> Path:
    return controlplane() / "helm"


def _set(settings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for one in settings for word in ("--set", one))
