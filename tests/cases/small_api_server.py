"""An API server on loopback for the plugin: lists in pages and by label, single objects, dry runs, and refusals.

It answers from a dict of lists by path, as `plugin_fleet.objects` makes it, and validates with Terrace's own codec.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from terrace_api.codec import decode_policy_file
from terrace_api.errors import InvalidObject

Json = Any


@dataclass(kw_only=True)
class SmallApiServer:
    """What it has, and how it behaves.

    Attributes:
        lists: objects by the path of their list, in which pods of all namespaces are one.
        singles: objects that are in no list, by their path.
        renewed: paths of those that somebody writes between any two looks.
        refuse: status by the beginning of a path.
        requests: `METHOD path?query` in the order in which they came.
        page: how many objects a page has at most.
        expires: how many of the next continue tokens are too old.
    """

    lists: dict[str, list[Json]] = field(default_factory=dict)
    singles: dict[str, Json] = field(default_factory=dict)
    renewed: set[str] = field(default_factory=set)
    refuse: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    page: int = 500
    expires: int = 0

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serves inside the block; gives the URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, method: str, target: str, body: str) -> tuple[int, Json]:
        """Returns status and answer."""
        self.requests.append(f"{method} {target}")
        url = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        for start, status in self.refuse.items():
            if url.path.startswith(start):
                return _status(status, f'{url.path.rpartition("/")[2]} is forbidden: User "eve" cannot do that')
        if method == "PATCH":
            return self._rehearse(url.path, query, body)
        if (found := self._of_namespace(url.path)) is not None:
            return self._list(found, query)
        if url.path in self.singles:
            return 200, self._look_at(url.path)
        return self._single(url.path)

    def _look_at(self, path: str) -> Json:
        if path in self.renewed:
            metadata = self.singles[path]["metadata"]
            metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        return self.singles[path]

    def _of_namespace(self, path: str) -> list[Json] | None:
        """Returns the objects of one namespace, if that is what the path asks for."""
        match path.split("/"):
            case ["", *start, "namespaces", namespace, plural] if found := self.lists.get(
                "/".join(["", *start, plural])
            ):
                return [one for one in found if one["metadata"]["namespace"] == namespace]
            case _:
                return self.lists.get(path)

    def _list(self, listed: list[Json], query: dict[str, str]) -> tuple[int, Json]:
        if "continue" in query and self.expires:
            self.expires -= 1
            return _status(410, "The provided continue parameter is too old")
        wanted = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
        found = [one for one in listed if wanted.items() <= (one["metadata"].get("labels") or {}).items()]
        begin, most = int(query.get("continue", 0)), min(self.page, int(query["limit"]))
        rest = {"continue": str(begin + most)} if begin + most < len(found) else {}
        return 200, {"metadata": {"resourceVersion": "9", **rest}, "items": found[begin : begin + most]}

    def _single(self, path: str) -> tuple[int, Json]:
        parent, _, name = path.rpartition("/")
        namespace = parent.split("/")[-2] if "/namespaces/" in parent else ""
        parent = "/api/v1/pods" if namespace else parent
        for one in self.lists.get(parent, ()):
            if one["metadata"]["name"] == name and one["metadata"].get("namespace", "") == namespace:
                return 200, one
        return _status(404, f'{parent.rpartition("/")[2]} "{name}" not found')

    def _rehearse(self, path: str, query: dict[str, str], body: str) -> tuple[int, Json]:
        """As a dry run: what would be stored, of which nothing is."""
        if query.get("dryRun") != "All":
            raise AssertionError("the plugin changes nothing")
        status, present = self._single(path)
        patch = yaml.safe_load(body)
        if isinstance(patch, list) and status != 200:
            return status, present
        if isinstance(patch, list):
            (replaced,) = patch
            manifest = {**present, "spec": replaced["value"]}
        else:  # of what others applied, an apply takes nothing away
            new = {"uid": "uid-dry-run", "generation": 1, "creationTimestamp": "2026-06-01T12:00:00Z"}
            known = present if status == 200 else {"metadata": patch["metadata"] | new, "spec": {}}
            manifest = {**patch, "metadata": known["metadata"], "spec": known["spec"] | patch["spec"]}
        try:
            decode_policy_file(
                yaml.safe_dump({key: manifest[key] for key in ("apiVersion", "kind", "metadata", "spec")})
            )
        except InvalidObject as error:
            return _status(422, str(error))
        return 200, manifest

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply("GET", "")

            def do_PATCH(self) -> None:
                self._reply("PATCH", self.rfile.read(int(self.headers["Content-Length"])).decode())

            def _reply(self, method: str, body: str) -> None:
                status, answer = owner.answer(method, self.path, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def kubeconfig(path: Path, server: str, *, namespace: str = "") -> Path:
    """Writes a kubeconfig with one context, `test`."""
    context = {"cluster": "test", "user": "test"} | ({"namespace": namespace} if namespace else {})
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": {"server": server}}],
                "users": [{"name": "test", "user": {"token": "t"}}],
                "contexts": [{"name": "test", "context": context}],
            }
        )
    )
    return path


def _status(code: int, message: str) -> tuple[int, Json]:
    return code, {"kind": "Status", "status": "Failure", "code": code, "message": message}
