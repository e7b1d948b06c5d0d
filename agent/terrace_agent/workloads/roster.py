"""The pods of this node as the API server last told, kept on disk for the time that it is away.

Before: `cluster` watches. After: `cycle` asks what is known. Deletions matter as much as additions: a uid that is gone
never comes back.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from terrace_agent.laststate import LastState
from terrace_agent.steplog import StepLog
from terrace_agent.workloads.manifest import cgroup_uid, decode_pod, encode_pod, pod_of
from terrace_agent.workloads.values import Known, Pod
from terrace_api.defaults import Json

_CURRENT_FOR_S = 150.0
"""A quiet watch brings a bookmark about once a minute; after more than two of them nothing is current."""


class Roster:
    """Takes what a watch brings, and answers from another thread."""

    def __init__(self, last: LastState | None, log: StepLog, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._last = last
        self._log = log
        self._clock = clock
        self._pods: dict[str, Pod] = {}
        self._heard_at: float | None = None
        self._listed = threading.Event()
        self._saving = threading.Lock()

    def recall(self) -> None:
        """Takes up what was last known in this boot; call it before the watch starts."""
        try:
            entries = (self._last.load() or {})["pods"] if self._last else []
            self._pods = {pod.uid: pod for pod in map(decode_pod, entries)}
        except (KeyError, TypeError):
            self._pods = {}
        if self._pods:
            self._listed.set()

    def known(self) -> Known:
        """Returns the pods as last heard of."""
        heard_at = self._heard_at
        is_current = heard_at is not None and self._clock() - heard_at <= _CURRENT_FOR_S
        return Known(pods=self._pods, is_current=is_current)

    def wait(self, seconds: float) -> None:
        """Returns as soon as the pods were listed once, in this boot, at the latest after `seconds`."""
        self._listed.wait(seconds)

    def replace(self, manifests: Iterable[Json]) -> None:
        """Takes the whole list."""
        self._take({pod.uid: pod for pod in map(pod_of, manifests) if pod})
        self._listed.set()

    def put(self, manifest: Json) -> None:
        """Takes a pod that is new or has changed."""
        uid, pod = cgroup_uid(manifest), pod_of(manifest)
        others = {known: other for known, other in self._pods.items() if known != uid}
        self._take(others | {uid: pod} if pod else others)

    def remove(self, manifest: Json) -> None:
        """Forgets a pod."""
        uid = cgroup_uid(manifest)
        self._take({known: pod for known, pod in self._pods.items() if known != uid})

    def close(self) -> None:
        """Writes nothing to disk from now on, whatever a watch still brings."""
        with self._saving:
            self._last = None

    def heard(self) -> None:
        """Notes that nothing has changed as of now."""
        self._heard_at = self._clock()

    def _take(self, pods: dict[str, Pod]) -> None:
        # Never changed in place: who asked before goes on with what it got.
        before, self._pods = self._pods, pods
        self.heard()
        if pods != before:
            self._save(pods)

    def _save(self, pods: Mapping[str, Pod]) -> None:
        with self._saving:
            if self._last is None:
                return
            try:
                self._last.save({"pods": [encode_pod(pod) for pod in pods.values()]})
            except OSError as error:
                self._log.note("pods not saved", problem=str(error))
