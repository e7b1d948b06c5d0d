"""Requests to the API server with the official client's transport; objects stay JSON.

The only module that imports `kubernetes`, and of that only what sends requests. The client's models would cost memory
on every node, and so would what its packages import on top: `kubernetes` and `kubernetes.config` load a dynamic client,
web sockets and OAuth, which take 6 MiB and a third of the start. So the `__init__` of these two is left out.

Before: the cluster. After: `cluster`.
"""

import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from types import ModuleType
from typing import Any

import urllib3

from terrace_agent.errors import ApiUnavailable
from terrace_api.defaults import Json

Query = list[tuple[str, str]]

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_CONNECT_S = 5
_ANSWER_S = 20


@contextmanager
def _without_init(*packages: str) -> Iterator[None]:
    """Lets modules of `packages` be imported while their `__init__` is not; who imports them later gets all of them."""
    bare = []
    for name in packages:
        if name not in sys.modules and (spec := importlib.util.find_spec(name)):
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__path__ = list(spec.submodule_search_locations or ())
            bare.append(name)
    try:
        yield
    finally:
        for name in bare:
            del sys.modules[name]


with _without_init("kubernetes", "kubernetes.config"):
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import load_incluster_config


class Server:
    """One API server. Every failure is an `ApiUnavailable`; nothing is retried here."""

    def __init__(self, settings: Configuration) -> None:
        settings.retries = False
        self._settings = settings
        self._client = ApiClient(settings)

    def get(self, path: str, query: Query, *, accept: str = "application/json") -> dict[str, Json]:
        """Returns the answer.

        Raises:
            ApiUnavailable: there was none, or it was a refusal.
        """
        return self._answer("GET", path, self._send("GET", path, query, read_s=_ANSWER_S, accept=accept))

    def apply(self, path: str, query: Query, body: dict[str, Json]) -> dict[str, Json]:
        """Returns the object's metadata after a server-side apply of `body`; nobody needs the rest sent back.

        Raises:
            ApiUnavailable: there was no answer, or it was a refusal.
        """
        return self._answer(
            "PATCH", path, self._send("PATCH", path, query, read_s=_ANSWER_S, accept=_METADATA, body=body)
        )

    def stream(self, path: str, query: Query, *, silence_s: float) -> Iterator[dict[str, Json]]:
        """Yields the events of a watch until the server ends it or is silent for `silence_s`.

        Raises:
            ApiUnavailable: the server refused, or the connection broke.
        """
        response = self._send("GET", path, query, read_s=silence_s)
        rest = b""
        try:
            for chunk in response.stream(amt=None, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
        except urllib3.exceptions.ReadTimeoutError:
            return
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _unavailable(f"watch {path}", error) from error
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Query,
        *,
        read_s: float,
        accept: str = "application/json",
        body: Json = None,
    ) -> Any:
        headers = {"Accept": accept} | ({"Content-Type": "application/apply-patch+yaml"} if body is not None else {})
        try:
            request = self._client.param_serialize(
                method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = self._client.call_api(*request, _request_timeout=(_CONNECT_S, read_s)).response
        except (ApiException, ConfigException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _unavailable(f"{method} {path}", error) from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._renew()
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ApiUnavailable(request=f"{method} {path}", status=response.status, message=_message(response))
        return response

    def _renew(self) -> None:
        """Reads the token anew: the client does once a minute by the wall clock, which may have been set back."""
        with suppress(ConfigException, OSError):
            load_incluster_config(client_configuration=self._settings)  # type: ignore[no-untyped-call]

    def _answer(self, method: str, path: str, response: Any) -> dict[str, Json]:
        try:
            answer: dict[str, Json] = json.loads(response.data)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _unavailable(f"{method} {path}", error) from error
        return answer


def connect() -> Server:
    """Returns the API server of the cluster that this process runs in, or else of the user's kubeconfig.

    Raises:
        ApiUnavailable: there is neither.
    """
    settings = Configuration()
    try:
        load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except ConfigException:
        _load_kubeconfig(settings)
    return Server(settings)


def _load_kubeconfig(settings: Configuration) -> None:
    # Outside a cluster only: this loads what `_without_init` leaves out.
    from kubernetes.config import load_kube_config  # noqa: PLC0415

    try:
        load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except ConfigException as error:
        raise _unavailable("connect", error) from error


def _unavailable(request: str, error: Exception) -> ApiUnavailable:
    status = getattr(error, "status", None)
    return ApiUnavailable(request=request, status=status if isinstance(status, int) else 0, message=str(error))


def _message(response: Any) -> str:
    try:
        message: str = json.loads(response.data)["message"]
    except (ValueError, KeyError, TypeError, urllib3.exceptions.HTTPError):
        return str(response.reason)
    return message
