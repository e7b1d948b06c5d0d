"""What nodes would do on the testbed's API server, which has none: an agent's answers, and the pods of helm's hooks.

Reports are made by the agent's own code; hooks run the operator's own program with the token of their pod's account.
"""

import json
import os
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cases.plugin_fleet import MACHINES, status_of
from cluster.operating import NAMESPACE, World, with_token
from terrace_api import API_VERSION

STORY = {machine.name: machine for machine in MACHINES}
Json = Any


@contextmanager
def standing_in(world: World) -> Iterator[None]:
    """Has nodes answer and hooks run inside the block."""
    end = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not end.wait(0.5):
                _answer(world)
                _run_hooks(world)
        except BaseException as error:  # told by the test's own thread
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
    assert failures == []


def _answer(world: World) -> None:
    """Reports on every spec that is not answered yet."""
    found = world.cluster.get(f"/apis/{API_VERSION}/nodetierings") or {"items": []}
    for one in found["items"]:
        name, generation = one["metadata"]["name"], one["metadata"]["generation"]
        if one.get("status", {}).get("observedGeneration") != generation:
            status = status_of(STORY[name], one)
            manifest = {"apiVersion": API_VERSION, "kind": "NodeTiering", "metadata": {"name": name}, "status": status}
            path = f"/apis/{API_VERSION}/nodetierings/{name}/status"
            with suppress(
                urllib.error.HTTPError
            ):  # the page may have removed the kind meanwhile; asked again otherwise
                world.cluster.apply(path, manifest, manager="terrace-agent")


def _run_hooks(world: World) -> None:
    """Runs the pods of the clean-up and of helm's test."""
    for pod in (world.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods") or {"items": []})["items"]:
        component = pod["metadata"].get("labels", {}).get("app.kubernetes.io/component")
        if component in ("cleanup", "test") and pod["status"]["phase"] == "Pending":
            code = _run(world, pod)
            phase = json.dumps({"status": {"phase": "Failed" if code else "Succeeded"}})
            where = ("-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", phase)
            world.cluster.kubectl("patch", "pod", pod["metadata"]["name"], *where)


def _run(world: World, pod: Json) -> int:
    container = pod["spec"]["containers"][0]
    account = pod["spec"]["serviceAccountName"]
    token = world.cluster.kubectl("-n", NAMESPACE, "create", "token", account).stdout.strip()
    config = world.directory / f"{pod['metadata']['name']}.kubeconfig"
    config.write_text(with_token(world.cluster, token))
    given = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    done = subprocess.run(
        [sys.executable, "-m", "terrace_operator", *container["args"]],
        env={**os.environ, **given, "KUBECONFIG": str(config), "POD_NAMESPACE": NAMESPACE},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (world.directory / pod["metadata"]["name"]).write_text(done.stdout + done.stderr)
    return done.returncode
