"""kopf: says that TieringPolicies changed. The only module that imports it.

kopf watches the policies and wakes the reconcile loop; which policies there are, the loop lists by itself, whole and
at once. From kopf's events alone it could not be known when the first list is complete (until then, nodes whose
policy has not arrived yet would be restored), nor which policies were deleted while a watch was too old to go on.
No finalizer, no annotation, no handler that keeps progress: kopf writes nothing.

Before: people edit policies. After: `reconcile`.
"""

import asyncio
import concurrent.futures
import itertools
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import kopf

from terrace_api import GROUP, VERSION
from terrace_operator.cluster.connection import Credentials


class _Patience:
    """Pauses in seconds between tries of one request, without end: kopf begins anew for each request.

    With an end, its watcher would fail for good, and kopf with it.
    """

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1, 2, 3), itertools.repeat(5))


async def watch_policies(
    changed: Callable[[], None], credentials: Callable[[], Awaitable[Credentials]], started: Callable[[], None]
) -> None:
    """Calls `changed` for every event of a TieringPolicy, for ever.

    Args:
        changed: called in kopf's handler, so it must not take long.
        credentials: asked for at the start and whenever the API server no longer accepts the last ones.
        started: called once kopf has taken over the process's signals, so that they can be taken back.
    """
    ignored = asyncio.all_tasks()
    # kopf would ask for the user's name, which a container's bare uid does not have.
    identity: Any = socket.gethostname()
    tasks = await kopf.spawn_tasks(
        registry=_registry(changed, credentials),
        settings=_settings(),
        standalone=True,
        clusterwide=True,
        identity=identity,
    )
    started()
    await kopf.run_tasks(tasks, ignored=ignored)


def _registry(changed: Callable[[], None], credentials: Callable[[], Awaitable[Credentials]]) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, errors=kopf.ErrorsMode.TEMPORARY, backoff=5)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        found = await credentials()
        return kopf.ConnectionInfo(
            server=found.server,
            token=found.token,
            ca_path=found.ca_path,
            certificate_path=found.certificate_path,
            private_key_path=found.private_key_path,
            insecure=found.insecure,
            proxy_url=found.proxy_url,
        )

    @kopf.on.event(GROUP, VERSION, "tieringpolicies", registry=registry)
    async def policy_changed(**_: Any) -> None:
        changed()

    return registry


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.watching.chunk_size = 500
    settings.watching.inactivity_timeout = 70
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _Patience()  # an API server is never away for good
    settings.scanning.disabled = True  # no right to list CRDs and namespaces is needed
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.execution.executor = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    settings.process.ultimate_exiting_timeout = None  # kopf would SIGKILL the process, of which it is only a part
    # Never used, because no handler needs them; if one ever did, it would leave our name and not kopf's.
    settings.persistence.finalizer = f"{GROUP}/operator"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    return settings
