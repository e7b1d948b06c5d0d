"""The requests that the operator makes, with HTTP's errors as ours.

Before: `connection`. After: `objects` knows which paths to ask for.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from terrace_operator.cluster.connection import Connection
from terrace_operator.errors import ApiGarbled, ApiUnreachable, refused

Json = Any
JSON = "application/json"
FIELD_MANAGER = "terrace-operator"

SILENCE_S = 70.0
"""A watch that is silent for longer is dead: bookmarks come about once a minute even if nothing happens."""
_MOST_RETRY_AFTER_S = 60.0
"""What an API server asks for is a second or so; a proxy in between that wants a day shall not stop all writes."""
_REQUEST = aiohttp.ClientTimeout(total=60, sock_connect=10)
_WATCH = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE_S)


class Requests:
    """Requests to one API server."""

    def __init__(self, connection: Connection) -> None:
        self._client = connection.client

    async def get(self, path: str, *, accept: str = JSON, query: dict[str, str] | None = None) -> Json:
        """Returns the object or list at `path`.

        Raises:
            ApiRefused, ApiUnreachable, ApiGarbled: see `errors`.
        """
        async with self._request("GET", path, accept=accept, query=query, timeout=_REQUEST) as response:
            return await _whole(response)

    @asynccontextmanager
    async def watch(self, path: str, *, accept: str, query: dict[str, str]) -> AsyncIterator[AsyncIterator[Json]]:
        """Opens a watch; inside the block, its events can be iterated until the server ends it.

        Raises:
            ApiRefused, ApiUnreachable, ApiGarbled: also while iterating.
        """
        query = {**query, "watch": "true", "allowWatchBookmarks": "true"}
        async with self._request("GET", path, accept=accept, query=query, timeout=_WATCH) as response:
            yield _events(response)

    async def apply(self, path: str, manifest: Json, *, within_s: float) -> Json:
        """Applies a manifest server-side, taking over fields that others hold, and returns the object as it is now.

        A field that the schema does not have is refused in any case; validation would parse the manifest twice.

        Args:
            path: of the object.
            manifest: all that the operator owns of it.
            within_s: after that the connection is cut; the API server gives up a request whose client is gone.

        Raises:
            ApiConflict: `metadata.uid` in the manifest is not that of the object that is there.
            ApiRefused, ApiUnreachable, ApiGarbled: see `errors`.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Ignore"}
        timeout = aiohttp.ClientTimeout(total=within_s)
        async with self._request("PATCH", path, accept=JSON, query=query, timeout=timeout, body=manifest) as response:
            return await _whole(response)

    async def create(self, path: str, manifest: Json) -> Json:
        """Creates an object in the collection at `path` and returns it.

        Raises:
            ApiConflict: it is there already.
            ApiRefused, ApiUnreachable, ApiGarbled: see `errors`.
        """
        return await self._put("POST", path, manifest)

    async def replace(self, path: str, manifest: Json) -> Json:
        """Replaces the object at `path`, if it still has the manifest's resource version, and returns it.

        Raises:
            ApiConflict: it was changed since.
            ApiRefused, ApiUnreachable, ApiGarbled: see `errors`.
        """
        return await self._put("PUT", path, manifest)

    async def _put(self, method: str, path: str, manifest: Json) -> Json:
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        async with self._request(method, path, accept=JSON, query=query, timeout=_REQUEST, body=manifest) as response:
            return await _whole(response)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        accept: str,
        query: dict[str, str] | None,
        timeout: aiohttp.ClientTimeout,
        body: Json = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        content_type = "application/apply-patch+yaml" if method == "PATCH" else JSON
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": FIELD_MANAGER}
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            answer = await self._client.call_api(method, url, headers, body=body, _request_timeout=timeout)
            async with answer.response as response:
                if response.status >= 400:
                    raise _refusal(response, await response.read())
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnreachable(f"{method} {path}: {type(error).__name__}: {error}") from error


async def _whole(response: aiohttp.ClientResponse) -> Json:
    return _parse(await response.read())


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    try:
        async for line in response.content:
            if line.strip():
                yield _parse(line)
    except HttpProcessingError as error:  # a line longer than any object may be
        raise ApiGarbled(str(error)) from error


def _parse(content: bytes) -> Json:
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise ApiGarbled(f"not JSON: {content[:80]!r}") from error
    if not isinstance(parsed, dict):
        raise ApiGarbled(f"not a JSON object: {content[:80]!r}")
    return parsed


def _refusal(response: aiohttp.ClientResponse, content: bytes) -> Exception:
    """Returns the error of an HTTP status; the body is a `metav1.Status`, or whatever a proxy in between says."""
    try:
        found = _parse(content)
    except ApiGarbled:
        found = {"message": content[:200].decode(errors="replace")}
    wait = response.headers.get("Retry-After", "")
    return refused(
        status=response.status,
        reason=str(found.get("reason", "")),
        message=str(found.get("message", "")),
        retry_after_s=min(float(wait), _MOST_RETRY_AFTER_S) if wait.isdecimal() else 0.0,
    )
