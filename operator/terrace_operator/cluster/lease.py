"""The Lease on the API server: where it is, and its JSON as a value and back.

Before: `requests`. After: `elector` reads and writes it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from terrace_operator.cluster.requests import Requests
from terrace_operator.election import Lease
from terrace_operator.errors import ApiGarbled, ApiNotFound

Json = Any

_API_VERSION = "coordination.k8s.io/v1"


class LeaseName(NamedTuple):
    """Which Lease."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseObject:
    """One Lease."""

    requests: Requests
    name: LeaseName

    async def read(self) -> Lease:
        """Returns the Lease; one without a version if it does not exist.

        Raises:
            ApiRefused, ApiUnreachable, ApiGarbled: see `errors`.
        """
        try:
            return _decode(await self.requests.get(f"{self._path}/{quote(self.name.name)}"))
        except ApiNotFound:
            return Lease()

    async def write(self, lease: Lease) -> Lease:
        """Makes or replaces the Lease, unless somebody else did since it was read, and returns it as stored.

        Raises:
            ApiConflict: somebody else did.
            ApiRefused, ApiUnreachable, ApiGarbled: see `errors`.
        """
        manifest = _encode(lease, self.name)
        if lease.version:
            return _decode(await self.requests.replace(f"{self._path}/{quote(self.name.name)}", manifest))
        return _decode(await self.requests.create(self._path, manifest))

    @property
    def _path(self) -> str:
        return f"/apis/{_API_VERSION}/namespaces/{quote(self.name.namespace)}/leases"


def _encode(lease: Lease, name: LeaseName) -> Json:
    spec = {
        "holderIdentity": lease.holder or None,
        "leaseDurationSeconds": lease.duration_s,
        "leaseTransitions": lease.transitions,
        "acquireTime": lease.acquired,
        "renewTime": lease.renewed,
    }
    version = {"resourceVersion": lease.version} if lease.version else {}
    return {
        "apiVersion": _API_VERSION,
        "kind": "Lease",
        "metadata": {"name": name.name, "namespace": name.namespace, **version},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def _decode(manifest: Json) -> Lease:
    try:
        spec = manifest.get("spec") or {}
        return Lease(
            holder=spec.get("holderIdentity") or "",
            duration_s=spec.get("leaseDurationSeconds") or 0,
            transitions=spec.get("leaseTransitions") or 0,
            acquired=spec.get("acquireTime"),
            renewed=spec.get("renewTime"),
            version=manifest["metadata"]["resourceVersion"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ApiGarbled(f"Lease without {error}") from error
