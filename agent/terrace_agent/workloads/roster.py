"""The pods of this node as the API server last told, kept on disk for the time that it is away.

Before: `cluster` watches. After: `cycle` asks what is known, and says whose cgroups it found no more.

Containers outlive their pod where it is deleted by force, or is the mirror of a static pod, which kubelet makes anew;
one that has failed has a cgroup for some time. What is left alone has to be so until then. So a pod that was deleted or
has ended is kept with all that rules look at, on disk, too, until its cgroup is gone. The next agent takes it for one
that is there, until its first list lacks it. Only a pod that was deleted before any agent of this boot knew it cannot
be told from one that is new.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from terrace_agent.laststate import LastState
from terrace_agent.steplog import StepLog
from terrace_agent.workloads.manifest import decode_pod, encode_pod, has_ended, pod_of
from terrace_agent.workloads.values import Known, Pod
from terrace_api.defaults import Json

_CURRENT_FOR_S = 150.0
"""A quiet watch brings a bookmark about once a minute; after more than two of them nothing is current."""
_MOST_GONE = 1024
"""The last ones, those that were never known to run first to go: a list may name any number that have ended."""
_NOBODY = Known(pods={}, is_current=False)


class Roster:
    """Takes what a watch brings, and answers from another thread."""

    def __init__(self, last: LastState | None, log: StepLog, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._last = last
        self._log = log
        self._clock = clock
        self._told = _NOBODY
        self._heard_at: float | None = None
        self._listed = threading.Event()
        self._changing = threading.Lock()

    def recall(self) -> None:
        """Takes up what was last known in this boot; call it before the watch starts."""
        try:
            entries = (self._last.load() or {})["pods"] if self._last else []
            self._told = replace(_NOBODY, pods={pod.uid: pod for pod in map(decode_pod, entries)})
        except (KeyError, TypeError):
            self._told = _NOBODY
        if self._told.pods:
            self._listed.set()

    def known(self) -> Known:
        """Returns the pods as last heard of."""
        heard_at = self._heard_at
        is_current = heard_at is not None and self._clock() - heard_at <= _CURRENT_FOR_S
        return replace(self._told, is_current=is_current)

    def wait(self, seconds: float) -> None:
        """Returns as soon as the pods were listed once, in this boot, at the latest after `seconds`."""
        self._listed.wait(seconds)

    def replace(self, manifests: Iterable[Json]) -> None:
        """Takes the whole list."""
        pods: dict[str, Pod] = {}
        ended: dict[str, Pod] = {}
        for manifest in manifests:
            pod = pod_of(manifest)
            (ended if has_ended(manifest) else pods)[pod.uid] = pod
        with self._changing:
            told = _all(self._told)
            self._take(pods, _without(ended, told) | told | ended)
        self.heard()
        self._listed.set()

    def put(self, manifest: Json) -> None:
        """Takes a pod that is new or has changed."""
        if has_ended(manifest):
            self.remove(manifest)
            return
        pod = pod_of(manifest)
        with self._changing:
            self._take({**self._told.pods, pod.uid: pod}, self._told.gone)
        self.heard()

    def remove(self, manifest: Json) -> None:
        """Takes a pod that has gone, and keeps what is known of it for its cgroup."""
        pod = pod_of(manifest)
        with self._changing:
            self._take(_without(self._told.pods, {pod.uid}), {**self._told.gone, pod.uid: pod})
        self.heard()

    def forget(self, uids: Collection[str]) -> None:
        """Forgets those of these pods that have gone: their cgroups have, too."""
        with self._changing:
            self._take(self._told.pods, _without(self._told.gone, uids))

    def close(self) -> None:
        """Writes nothing to disk from now on, whatever a watch still brings."""
        with self._changing:
            self._last = None

    def heard(self) -> None:
        """Notes that nothing has changed as of now."""
        self._heard_at = self._clock()

    def _take(self, pods: Mapping[str, Pod], gone: Mapping[str, Pod]) -> None:
        # Never changed in place: who asked before goes on with what it got.
        kept = tuple(_without(gone, pods).items())[-_MOST_GONE:]
        before, self._told = self._told, replace(_NOBODY, pods=pods, gone=dict(kept))
        if _all(self._told) != _all(before):
            self._save()

    def _save(self) -> None:
        if self._last is None:
            return
        try:
            self._last.save({"pods": [encode_pod(pod) for pod in _all(self._told).values()]})
        except OSError as error:
            self._log.note("pods not saved", problem=str(error))


def _all(known: Known) -> dict[str, Pod]:
    return {**known.gone, **known.pods}


def _without(pods: Mapping[str, Pod], uids: Collection[str]) -> dict[str, Pod]:
    return {uid: pod for uid, pod in pods.items() if uid not in uids}
