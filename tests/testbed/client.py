"""Who works with a cluster's API server: kubectl and helm as the administrator, and plain requests.

Before: `components`, which say where a cluster keeps what. After: `cluster`, which runs the servers.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any

from testbed.components import Layout, Ports
from testbed.errors import CommandError, WaitError
from testbed.pki import Authority

_TRIES = 30


class Client:
    """The administrator of one cluster."""

    def __init__(self, layout: Layout, cluster_ports: Ports) -> None:
        self.layout = layout
        self.ports = cluster_ports
        self.authority = Authority(layout.pki)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.layout.kubeconfig("admin")

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://127.0.0.1:{self.ports.api}"

    @property
    def environment(self) -> dict[str, str]:
        """What `kubectl` and `helm` need to work with this cluster and with nothing else of this machine."""
        home = self.layout.directory / "home"
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "HELM_CACHE_HOME": str(home / "helm-cache"),
            "HELM_CONFIG_HOME": str(home / "helm-config"),
            "HELM_DATA_HOME": str(home / "helm-data"),
            "KUBECACHEDIR": str(home / "kubectl-cache"),
        }

    def kubectl(
        self, *args: str | Path, stdin: str | None = None, check: bool = True, limit_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as the administrator.

        Raises:
            CommandError: it failed and `check` is set.
            WaitError: it took too long.
        """
        return self._client("kubectl", args, stdin=stdin, check=check, limit_s=limit_s)

    def helm(
        self, *args: str | Path, stdin: str | None = None, check: bool = True, limit_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Runs helm as the administrator.

        Raises:
            CommandError: it failed and `check` is set.
            WaitError: it took too long.
        """
        return self._client("helm", args, stdin=stdin, check=check, limit_s=limit_s)

    def get(self, path: str) -> Any:
        """Returns what the API server answers to a GET, such as of `/api/v1/nodes`; None if there is no such object.

        For questions that are asked again and again: a kubectl costs half a second of one of few CPUs. While the API
        server says 429, as of custom resources in its first seconds, it is asked again, as other clients do.
        """
        try:
            return self._send(path)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == HTTPStatus.NOT_FOUND:
                    return None
                raise

    def apply(self, path: str, manifest: Any, *, manager: str = "testbed") -> None:
        """Applies a manifest server-side at a path such as `/api/v1/nodes/a`; for what is done again and again."""
        self._send(
            f"{path}?fieldManager={manager}&force=true&fieldValidation=Strict", json.dumps(manifest).encode(), "PATCH"
        )

    def delete(self, path: str) -> None:
        """Deletes an object, or all those of a path such as `/api/v1/nodes`, without waiting until they are gone."""
        self._send(path, method="DELETE")

    def _send(self, path: str, body: bytes | None = None, method: str = "GET") -> Any:
        headers = {} if body is None else {"Content-Type": "application/apply-patch+yaml"}
        request = urllib.request.Request(f"{self.server}{path}", body, headers, method=method)
        for _ in range(_TRIES):
            try:
                return self._send_once(request)
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
                error.close()
                time.sleep(1)
        return self._send_once(request)

    def _send_once(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, context=self.tls(), timeout=30) as answer:
            return json.load(answer)

    def authority_only(self) -> SSLContext:
        """A TLS client who trusts the API server and brings no certificate: a token says who it is."""
        return create_default_context(cafile=str(self.authority.certificate))

    def tls(self) -> SSLContext:
        """The administrator as a TLS client."""
        context = self.authority_only()
        context.load_cert_chain(self.layout.pki / "admin.crt", self.layout.pki / "admin.key")
        return context

    def _client(
        self, program: str, args: tuple[str | Path, ...], *, stdin: str | None, check: bool, limit_s: float
    ) -> subprocess.CompletedProcess[str]:
        words = [program, *map(str, args)]
        try:
            done = subprocess.run(
                [str(self.layout.programs / program), *words[1:]],
                env={**os.environ, **self.environment},
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            said = (expired.stdout or b"") + (expired.stderr or b"")
            raise WaitError(" ".join(words)[:200], limit_s, said.decode(errors="replace")) from expired
        if check and done.returncode != 0:
            raise CommandError(words, done.returncode, done.stdout + done.stderr)
        return done
