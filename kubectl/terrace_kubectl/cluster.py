"""What there is on the cluster, as values. Shell: it knows paths and pages, and decides nothing.

Before: `connection`. After: the views. Lists come in pages, and of Nodes only the metadata is asked for: their statuses
list every image, which is megabytes for thousands of nodes.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import quote

from terrace_api import GROUP, VERSION
from terrace_api.defaults import Json
from terrace_kubectl.connection import JSON, Server
from terrace_kubectl.errors import Expired, NotInstalled, NotThere
from terrace_kubectl.fleet import Fleet, Pod, Seen
from terrace_kubectl.objects import read_namespaces, read_node, read_pod, read_seen
from terrace_operator.fleet import Node, Policies
from terrace_operator.policies import read_policies

Value = TypeVar("Value")

NODES_PATH = "/api/v1/nodes"
POLICIES_PATH = f"/apis/{GROUP}/{VERSION}/tieringpolicies"
TIERINGS_PATH = f"/apis/{GROUP}/{VERSION}/nodetierings"
_PAGE = "500"
_METADATA = "application/json;as={};g=meta.k8s.io;v=v1"


class Cluster:
    """One cluster, read when asked."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def fleet(self) -> Fleet:
        """Returns the whole state.

        Raises:
            PluginError: it cannot be read.
        """
        policies = self.policies()
        tierings = self._ours(TIERINGS_PATH, lambda manifest: read_seen(manifest, whole=False))
        return Fleet(nodes=self.nodes(), seen={one.tiering.name: one for one in tierings}, policies=policies)

    def nodes(self) -> tuple[Node, ...]:
        """Returns all nodes, in the order of their names."""
        listed = self._list(NODES_PATH, read_node, accept=_METADATA.format("PartialObjectMetadataList"))
        return tuple(sorted(listed, key=lambda node: node.name))

    def policies(self) -> Policies:
        """Returns all policies."""
        return read_policies(self._ours(POLICIES_PATH, _as_it_is))

    def node(self, name: str) -> Node:
        """Returns a node.

        Raises:
            NotThere: there is none of that name.
        """
        accept = _METADATA.format("PartialObjectMetadata")
        return read_node(self.server.get(f"{NODES_PATH}/{quote(name)}", accept=accept))

    def seen(self, name: str) -> Seen | None:
        """Returns all that is known of a node's NodeTiering; None if it has none."""
        try:
            return read_seen(self.server.get(f"{TIERINGS_PATH}/{quote(name)}"), whole=True)
        except NotThere:
            return None

    def pod(self, namespace: str, name: str) -> Pod:
        """Returns a pod.

        Raises:
            NotThere: there is none of that name.
        """
        return read_pod(self.server.get(f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}"))

    def namespaces_of_pod(self, name: str) -> tuple[str, ...]:
        """Returns the namespaces in which agents report a pod of that name."""
        found = self._ours(TIERINGS_PATH, lambda manifest: read_namespaces(manifest, name))
        return tuple(sorted(set().union(*found)))

    def pod_names(self, namespace: str) -> tuple[str, ...]:
        """Returns the names of a namespace's pods."""
        accept = _METADATA.format("PartialObjectMetadataList")
        path = f"/api/v1/namespaces/{quote(namespace)}/pods"
        return tuple(self._list(path, lambda manifest: str(manifest["metadata"]["name"]), accept=accept))

    def labelled(self, path: str, selector: str) -> list[Json]:
        """Returns the objects of a list with these labels, as they are."""
        return self._list(path, _as_it_is, selector=selector)

    def rehearse_policy(self, manifest: Json) -> Json:
        """Returns the policy as the API server would have it with the spec of `manifest`; nothing is stored.

        A server-side apply alone would keep the fields that others set and that are gone from the manifest.
        """
        path = f"{POLICIES_PATH}/{quote(manifest['metadata']['name'])}"
        try:
            return self.server.rehearse_spec(path, manifest["spec"])
        except NotThere:  # it is new, or its kind is not there
            pass
        try:
            return self.server.rehearse_apply(path, manifest)
        except NotThere as error:
            raise NotInstalled from error

    def _ours(self, path: str, read: Callable[[Json], Value]) -> list[Value]:
        try:
            return self._list(path, read)
        except NotThere as error:
            raise NotInstalled from error

    def _list(self, path: str, read: Callable[[Json], Value], *, accept: str = JSON, selector: str = "") -> list[Value]:
        """Returns all objects of a list, read page by page; one whose continue token expires is begun anew once."""
        try:
            return [read(manifest) for manifest in self._pages(path, accept, selector)]
        except Expired:
            return [read(manifest) for manifest in self._pages(path, accept, selector)]

    def _pages(self, path: str, accept: str, selector: str) -> Iterator[Json]:
        wanted = [("limit", _PAGE)] + ([("labelSelector", selector)] if selector else [])
        query = wanted
        while True:
            page = self.server.get(path, query, accept=accept)
            yield from page.get("items") or ()
            token = page["metadata"].get("continue")
            if not token:
                return
            query = [*wanted, ("continue", token)]


def _as_it_is(manifest: Json) -> Json:
    return manifest
