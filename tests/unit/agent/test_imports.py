"""What is loaded when: memory on every node, and no cluster needed by hand. Each in a process of its own."""

import json
import subprocess
import sys

import pytest


def loaded_after(statement: str) -> set[str]:
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(modules)


def test_by_hand_neither_the_cluster_nor_the_metrics_are_loaded() -> None:
    loaded = loaded_after("import terrace_agent.main")
    assert not {name for name in loaded if name.split(".")[0] in {"kubernetes", "prometheus_client", "jsonschema"}}


def test_of_the_client_only_the_transport_is_loaded() -> None:
    loaded = loaded_after("import terrace_agent.transport")
    assert "kubernetes.client.api_client" in loaded
    assert not loaded & {"websocket", "oauthlib", "requests", "kubernetes.dynamic", "kubernetes.config.kube_config"}


@pytest.mark.parametrize("first", ["terrace_agent.transport", "kubernetes.client"])
def test_who_imports_the_client_beside_us_gets_all_of_it(first: str) -> None:
    loaded_after(
        f"import {first}\nimport terrace_agent.transport as transport\nimport kubernetes\n"
        "assert kubernetes.config.load_kube_config\n"
        "assert kubernetes.config.ConfigException is transport.ConfigException\n"
        "assert kubernetes.client.ApiClient is transport.ApiClient"
    )
