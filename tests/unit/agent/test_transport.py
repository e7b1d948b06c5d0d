"""A token that has run out is read anew, whatever the clock says."""

import pytest
from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException

from terrace_agent import transport
from terrace_agent.errors import ApiUnavailable
from terrace_agent.transport import Server
from unit.agent.fake_api import FakeApi, serving


def asking(url: str) -> Server:
    settings = Configuration(host=url)
    settings.api_key["BearerToken"] = "bearer old"
    return Server(settings)


def test_after_a_401_the_next_request_has_the_token_that_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(client_configuration: Configuration) -> None:
        client_configuration.api_key["BearerToken"] = "bearer new"

    monkeypatch.setattr(transport, "load_incluster_config", load)
    api = FakeApi()
    api.token = "bearer new"
    with serving(api) as url:
        server = asking(url)
        with pytest.raises(ApiUnavailable, match="401"):
            server.get("/things", [])
        assert server.get("/things", [])["items"] == []


@pytest.mark.parametrize("error", [ConfigException("no pod"), FileNotFoundError(2, "No such file")])
def test_a_token_that_cannot_be_read_leaves_the_refusal_to_be_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def load(client_configuration: Configuration) -> None:
        del client_configuration
        raise error

    monkeypatch.setattr(transport, "load_incluster_config", load)
    api = FakeApi()
    api.token = "bearer new"
    with serving(api) as url, pytest.raises(ApiUnavailable, match="401"):
        asking(url).get("/things", [])
