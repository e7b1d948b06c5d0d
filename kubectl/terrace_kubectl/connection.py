"""Requests to the API server that the user's kubeconfig names. The only module that imports `kubernetes`.

Before: `commands`. After: `cluster` knows which paths to ask for.
"""

import json
import os
from http import HTTPStatus
from typing import Any

import urllib3
import yaml
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config

from terrace_api.defaults import Json
from terrace_kubectl.errors import NotConfigured, Unreachable, refused

Query = list[tuple[str, str]]
JSON = "application/json"
_CONNECT_S, _ANSWER_S = 10, 60
_UNREADABLE = (yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the client raises for a kubeconfig that is not of the expected shape."""
_APPLY, _JSON_PATCH = "application/apply-patch+yaml", "application/json-patch+json"
_FIELD_MANAGER = "kubectl-terrace"


class Server:
    """One API server. Nothing is retried: who waits at a terminal can do that."""

    def __init__(self, settings: Configuration, namespace: str) -> None:
        settings.retries = False
        self.url: str = settings.host
        self.namespace = namespace
        self._client = ApiClient(settings)

    def get(self, path: str, query: Query | None = None, *, accept: str = JSON) -> dict[str, Json]:
        """Returns the object or the page of a list at `path`.

        Raises:
            PluginError: see `errors`.
        """
        return self._answer("GET", path, query or [], {"Accept": accept}, None)

    def rehearse_apply(self, path: str, manifest: Json) -> dict[str, Json]:
        """Returns what a server-side apply of `manifest` would leave at `path`; nothing is stored.

        Raises:
            PluginError: see `errors`; one with status 422 if the API server finds the manifest invalid.
        """
        return self._rehearse(path, manifest, _APPLY, [("force", "true")])

    def rehearse_spec(self, path: str, spec: Json) -> dict[str, Json]:
        """Returns what would be at `path` with `spec` in place of the whole of its own; nothing is stored.

        Raises:
            PluginError: see `errors`; one with status 422 if the API server finds the spec invalid.
        """
        return self._rehearse(path, [{"op": "replace", "path": "/spec", "value": spec}], _JSON_PATCH, [])

    def _rehearse(self, path: str, body: Json, content_type: str, more: Query) -> dict[str, Json]:
        query = [("dryRun", "All"), ("fieldManager", _FIELD_MANAGER), ("fieldValidation", "Strict"), *more]
        return self._answer("PATCH", path, query, {"Accept": JSON, "Content-Type": content_type}, body)

    def _answer(self, method: str, path: str, query: Query, headers: dict[str, str], body: Json) -> dict[str, Json]:
        try:
            request = self._client.param_serialize(
                method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = self._client.call_api(*request, _request_timeout=(_CONNECT_S, _ANSWER_S)).response
            content = response.data
        except ConfigException as error:
            raise NotConfigured(str(error)) from error
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(server=self.url, why=_why(error)) from error
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise refused(status=response.status, message=_message(content) or str(response.reason))
        return self._parse(content)

    def _parse(self, content: bytes) -> dict[str, Json]:
        try:
            parsed = json.loads(content)
        except ValueError as error:
            raise Unreachable(server=self.url, why="what answers there speaks no JSON") from error
        if not isinstance(parsed, dict):
            raise Unreachable(server=self.url, why="what answers there is no API server")
        return parsed


def connect(kubeconfig: str | None, context: str | None) -> Server:
    """Returns the API server of a context of the kubeconfig, by default of the current one.

    Raises:
        NotConfigured: there is no kubeconfig, no such context, or it cannot be used.
    """
    settings = Configuration()
    path = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        load_kube_config(config_file=path, context=context, client_configuration=settings)  # type: ignore[no-untyped-call]
        return Server(settings, _namespace(path, context))
    except ConfigException as error:
        raise NotConfigured(_first_line(error)) from error
    except _UNREADABLE as error:
        raise NotConfigured(f"the kubeconfig cannot be read ({_first_line(error)})") from error


def context_names(kubeconfig: str | None) -> tuple[str, ...]:
    """Returns the contexts that there are, for completion; none if there is no kubeconfig."""
    try:
        contexts, _ = list_kube_config_contexts(config_file=kubeconfig or os.environ.get("KUBECONFIG"))  # type: ignore[no-untyped-call]
    except (ConfigException, *_UNREADABLE):
        return ()
    return tuple(found["name"] for found in contexts)


def _namespace(path: str | None, context: str | None) -> str:
    contexts, active = list_kube_config_contexts(config_file=path)  # type: ignore[no-untyped-call]
    chosen: Any = next((found for found in contexts if found["name"] == context), active)
    return str(chosen["context"].get("namespace") or "default")


def _message(content: bytes) -> str:
    """Returns what a `metav1.Status` says; whatever a proxy in between answers is no message."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _why(error: BaseException) -> str:
    """Returns the innermost reason: urllib3 wraps it several times."""
    inner = (getattr(error, "reason", None), error.__cause__, *error.args)
    for found in inner:
        if isinstance(found, BaseException):
            return _why(found)
    if isinstance(error, ApiException) and error.reason:  # of TLS: the class of the error, then what it says
        return str(error.reason).splitlines()[-1]
    return getattr(error, "strerror", None) or _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rpartition("): ")[2].rstrip(".") if lines else type(error).__name__
