"""Where the API server is and who we are: a kubeconfig, or the service account of the pod.

Before: `main`. After: `requests` uses the client; `handlers` hands the same credentials to kopf.
"""

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio import client, config

from terrace_operator.errors import NotConfigured

_config: Any = config  # its functions are not annotated


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What another HTTP client needs to be the same user; `token` is what is valid now."""

    server: str
    token: str | None
    ca_path: str | None
    certificate_path: str | None
    private_key_path: str | None
    insecure: bool
    proxy_url: str | None


class Connection:
    """The client of the official library, for one user at one API server."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        # Looked up once: aiohttp would look for proxies and for ~/.netrc in a thread, at each request.
        configuration.proxy = configuration.proxy or _proxy_for(configuration.host)
        configuration.client_session_kwargs = {"trust_env": False}
        self.client: Any = client.ApiClient(configuration)

    async def credentials(self) -> Credentials:
        """Returns the credentials; a service account's token is read from its file again when it is due."""
        configuration = self._configuration
        header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
        return Credentials(
            server=configuration.host,
            token=header.split(" ", 1)[-1].strip() or None,
            ca_path=configuration.ssl_ca_cert,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            insecure=not configuration.verify_ssl,
            proxy_url=configuration.proxy,
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self.client.close()


async def connect() -> Connection:
    """Returns a connection by $KUBECONFIG if it is set, else as the pod's service account, else by ~/.kube/config.

    Raises:
        NotConfigured: none of them is there, or the one that is cannot be read.
    """
    configuration = client.Configuration()
    try:
        if not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
            _config.load_incluster_config(client_configuration=configuration)
        else:
            await _config.load_kube_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise NotConfigured(str(error)) from error
    return Connection(configuration)


def _proxy_for(server: str) -> str | None:
    """Returns the proxy that the environment names for a server, as in $HTTPS_PROXY and $NO_PROXY."""
    url = urlsplit(server)
    if proxy_bypass(url.netloc):
        return None
    return getproxies().get(url.scheme)
