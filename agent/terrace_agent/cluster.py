"""The API server, as far as this node's agent goes: one watched object, its status, the names of this node's pods.

The only module that imports `kubernetes`, and of that only the transport: objects stay JSON, since the client's models
cost memory on every node. Before: the cluster. After: `inbox` (the object); `loop` publishes through it.

What is not there changes nothing: a 404 or a deleted object leaves the last configuration in force.
"""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client, config

from terrace_agent.errors import ApiUnavailable
from terrace_agent.inbox import Inbox
from terrace_agent.report import PodName
from terrace_agent.steplog import StepLog
from terrace_api import API_VERSION, GROUP, VERSION
from terrace_api.codec import encode_status
from terrace_api.defaults import Json
from terrace_api.node_tiering import NodeTieringStatus

_FIELD_MANAGER = "terrace-agent"
_OBJECTS = f"/apis/{GROUP}/{VERSION}/nodetierings"
_PODS = "/api/v1/pods"
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_STATIC_POD_UID = "kubernetes.io/config.hash"
"""Kubelet names the cgroup of a static pod after this annotation of its mirror pod, not after the mirror pod's uid."""

_CONNECT_S = 5
_ANSWER_S = 20
_SILENCE_S = 70
"""Bookmarks come about once a minute: a watch that is silent for longer is dead, whatever TCP says."""
_WATCH_S = 600
_BACKOFF_S = (1.0, 30.0)
_LIST_AGAIN_S = 60.0
"""A mirror pod comes after its static pod, and the API server's cache may lag behind the kubelet."""
_GONE = 410


class Cluster:
    """Watches this node's object and writes its status."""

    def __init__(self, api: client.ApiClient, *, node: str, inbox: Inbox, log: StepLog) -> None:
        self._api = api
        self._node = node
        self._inbox = inbox
        self._log = log
        self._names: dict[str, PodName] = {}
        self._named_for: frozenset[str] = frozenset()
        self._list_failed = False
        self._list_again_at = 0.0

    def start(self) -> None:
        """Starts to watch, in a thread that ends with the process."""
        threading.Thread(target=self._watch_for_ever, name="watch", daemon=True).start()

    def publish(self, status: NodeTieringStatus) -> None:
        """See `Publisher.publish`: a server-side apply that takes every field of the status."""
        body = {
            "apiVersion": API_VERSION,
            "kind": "NodeTiering",
            "metadata": {"name": self._node},
            "status": encode_status(status),
        }
        query = [("fieldManager", _FIELD_MANAGER), ("force", "true"), ("fieldValidation", "Strict")]
        self._call("PATCH", f"{_OBJECTS}/{self._node}/status", query, body=body)

    def pod_names(self, uids: frozenset[str]) -> Mapping[str, PodName]:
        """See `Publisher.pod_names`: one list when the set of pods changed, and now and then while one has no name."""
        now = time.monotonic()
        unnamed = uids - self._names.keys()
        if uids == self._named_for and not (unnamed and now >= self._list_again_at):
            return self._names
        if self._list_failed and now < self._list_again_at:
            return self._names
        self._list_again_at = now + _LIST_AGAIN_S
        try:
            self._names, self._named_for, self._list_failed = self._list_pods(), uids, False
        except ApiUnavailable as error:
            self._list_failed = True
            self._log.note("pods not listed", problem=str(error))
        return self._names

    def _list_pods(self) -> dict[str, PodName]:
        # resourceVersion 0: from the API server's cache; a pod that runs here has been there for a while.
        query = [("fieldSelector", f"spec.nodeName={self._node}"), ("resourceVersion", "0")]
        pods = self._call("GET", _PODS, query, accept=_NAMES_ONLY)["items"]
        return {
            (metadata.get("annotations") or {}).get(_STATIC_POD_UID, metadata["uid"]): PodName(
                namespace=metadata["namespace"], name=metadata["name"]
            )
            for metadata in (pod["metadata"] for pod in pods)
        }

    def _watch_for_ever(self) -> None:
        delay, version = _BACKOFF_S[0], ""
        while not self._inbox.closed:
            try:
                version = version or self._list()
                version = self._watch(version)
                delay = _BACKOFF_S[0]
            except (ApiUnavailable, urllib3.exceptions.HTTPError, OSError, ValueError, KeyError) as error:
                expired = isinstance(error, ApiUnavailable) and error.status == _GONE
                version = "" if expired or isinstance(error, ValueError | KeyError) else version
                self._log.note("watch interrupted", problem=f"{type(error).__name__}: {error}")
                threading.Event().wait(random.uniform(0, delay))
                delay = min(delay * 2, _BACKOFF_S[1])

    def _list(self) -> str:
        found = self._call("GET", _OBJECTS, self._selector())
        for manifest in found["items"]:
            self._inbox.put(_slim(manifest))
        version: str = found["metadata"]["resourceVersion"]
        self._log.note("listed", objects=len(found["items"]))
        return version

    def _watch(self, version: str) -> str:
        """Follows the object until the server ends the watch; returns the version to go on from."""
        query = [
            *self._selector(),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(_WATCH_S + random.randrange(_WATCH_S))),
        ]
        response = self._request("GET", _OBJECTS, query, read_s=_SILENCE_S)
        try:
            for event in _events(response):
                if event["type"] == "ERROR":
                    raise ApiUnavailable(
                        request=f"watch {_OBJECTS}",
                        status=event["object"].get("code", 0),
                        message=event["object"].get("message", ""),
                    )
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in {"ADDED", "MODIFIED"}:
                    self._inbox.put(_slim(event["object"]))
        except urllib3.exceptions.ReadTimeoutError:
            self._log.note("watch was silent", seconds=_SILENCE_S)
        finally:
            response.close()
        return version

    def _selector(self) -> list[tuple[str, str]]:
        return [("fieldSelector", f"metadata.name={self._node}")]

    def _call(
        self, method: str, path: str, query: list[tuple[str, str]], *, body: Json = None, accept: str = ""
    ) -> dict[str, Json]:
        try:
            response = self._request(method, path, query, body=body, accept=accept, read_s=_ANSWER_S)
            answer: dict[str, Json] = json.loads(response.data)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiUnavailable(request=f"{method} {path}", status=0, message=str(error)) from error
        return answer

    def _request(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        *,
        read_s: float,
        body: Json = None,
        accept: str = "",
    ) -> Any:
        headers = {"Accept": accept or "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/apply-patch+yaml"
        try:
            request = self._api.param_serialize(
                method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = self._api.call_api(*request, _request_timeout=(_CONNECT_S, read_s)).response
        except client.ApiException as error:
            raise ApiUnavailable(
                request=f"{method} {path}", status=error.status or 0, message=str(error.reason)
            ) from error
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ApiUnavailable(request=f"{method} {path}", status=response.status, message=_message(response))
        return response


def connect() -> client.ApiClient:
    """Returns a client for the cluster that this process runs in, or else of the user's kubeconfig.

    Raises:
        ApiUnavailable: there is neither.
    """
    settings = client.Configuration()
    try:
        try:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            config.load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise ApiUnavailable(request="connect", status=0, message=str(error)) from error
    settings.retries = False
    return client.ApiClient(settings)


def _events(response: Any) -> Iterator[dict[str, Json]]:
    rest = b""
    for chunk in response.stream(amt=None, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())


def _slim(manifest: dict[str, Json]) -> dict[str, Json]:
    kept = ("name", "uid", "generation", "resourceVersion", "ownerReferences")
    metadata = {key: value for key, value in manifest["metadata"].items() if key in kept}
    return {"metadata": metadata} | {key: manifest[key] for key in ("spec", "status") if key in manifest}


def _message(response: Any) -> str:
    try:
        message: str = json.loads(response.data)["message"]
    except (ValueError, KeyError, TypeError, urllib3.exceptions.HTTPError):
        return str(response.reason)
    return message
