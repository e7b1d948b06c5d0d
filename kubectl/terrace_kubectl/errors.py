"""Errors of the plugin: what a person can do about it is in the text.

TerraceError (terrace_api.errors)
└── PluginError              one line for the terminal; exit status 2
├── BadInput             what was asked for cannot be meant
├── NotConfigured        no kubeconfig, or one that cannot be used
├── Unreachable          the API server does not answer
├── NotInstalled         the API server does not know Terrace's kinds
└── Refused              the API server answered with an error (status, message)
├── Unauthorized     401: it does not know who asks
├── Forbidden        403: who asks may not
├── NotThere         404: there is no such object
└── Expired          410: a list that took too long has to begin anew
"""

from terrace_api.errors import TerraceError


class PluginError(TerraceError):
    """Ends a command."""


class BadInput(PluginError):
    """An argument or a file is wrong."""


class NotConfigured(PluginError):
    """It is not known where the API server is."""

    def __str__(self) -> str:
        return f"no cluster to ask: {self.args[0]}. Set KUBECONFIG, or give --kubeconfig and --context"


class Unreachable(PluginError):
    """No answer."""

    def __init__(self, *, server: str, why: str) -> None:
        self.server = server
        self.why = why
        super().__init__(server, why)

    def __str__(self) -> str:
        return f"the API server at {self.server} does not answer: {self.why}. Is it the right --context?"


class NotInstalled(PluginError):
    """There are no TieringPolicies and NodeTierings."""

    def __str__(self) -> str:
        return (
            "Terrace is not installed on this cluster: the API server does not know terrace.dev/v1alpha1. "
            "Install its chart (helm install terrace ...), or choose another --context"
        )


class Refused(PluginError):
    """An answer that is an error."""

    def __init__(self, *, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(status, message)

    def __str__(self) -> str:
        return f"the API server refused ({self.status}): {self.message}"


class Unauthorized(Refused):
    """The credentials are missing or no longer valid."""

    def __str__(self) -> str:
        return f"the API server does not know you ({self.message}). Log in again, or choose another --context"


class Forbidden(Refused):
    """RBAC says no."""

    def __str__(self) -> str:
        return (
            f"you may not do this: {self.message}. Terrace's commands need get and list on nodes and pods, and on "
            "tieringpolicies and nodetierings of terrace.dev"
        )


class NotThere(Refused):
    """No such object."""

    def __str__(self) -> str:
        return self.message


class Expired(Refused):
    """The continue token of a list is too old."""


_BY_STATUS: dict[int, type[Refused]] = {401: Unauthorized, 403: Forbidden, 404: NotThere, 410: Expired}


def refused(*, status: int, message: str) -> Refused:
    """Returns the error that an HTTP status stands for."""
    return _BY_STATUS.get(status, Refused)(status=status, message=message)
