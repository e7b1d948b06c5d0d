"""Writes kubeconfig files. *Pure.*"""

from __future__ import annotations

import base64

import yaml


def kubeconfig(*, server: str, authority: bytes, certificate: bytes, key: bytes) -> str:
    """A kubeconfig with one cluster and one user, everything inline.

    Args:
        server: the API server's URL.
        authority: the certificate authority, PEM.
        certificate: the user's certificate, PEM.
        key: the user's key, PEM.
    """
    cluster = {"server": server, "certificate-authority-data": _base64(authority)}
    user = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
            "current-context": "testbed",
        }
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
