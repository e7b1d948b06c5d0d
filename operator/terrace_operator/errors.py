"""Errors of the operator.

    TerraceError (terrace_api.errors)
    ├── NotConfigured            neither a kubeconfig nor a service account says where the API server is
    ├── NotLeading               a write that was not started, because another operator may write
    ├── ApiUnreachable           no answer: refused, reset, cut, or silent for too long
    ├── ApiGarbled               an answer that is not what the API server says
    └── ApiRefused               an answer that is an error (status, reason, message)
        ├── ApiForbidden         403: a rule of RBAC or admission is missing or says no
        ├── ApiNotFound          404: the object, or its kind, is not there
        ├── ApiConflict          409: the object is another one than the one that was looked at
        └── ApiGone              410: the resource version is too old; list again

What is a bug of ours is none of these: it ends the process, and the next start begins from the whole state.
"""

from terrace_api.errors import TerraceError


class NotConfigured(TerraceError):
    """Nothing says where the API server is."""


class NotLeading(TerraceError):
    """Another operator may write by now, so nothing was written."""


class ApiUnreachable(TerraceError):
    """The API server did not answer, or stopped in the middle; what was asked may or may not have happened."""


class ApiGarbled(TerraceError):
    """The API server answered something else than JSON of the expected shape."""


class ApiRefused(TerraceError):
    """The API server answered with an error.

    Attributes:
        retry_after_s: how long it wants to be left alone, as it says when it has too much to do; else 0.
    """

    def __init__(self, *, status: int, reason: str, message: str, retry_after_s: float = 0.0) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s
        super().__init__(status, reason, message)

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"


class ApiForbidden(ApiRefused):
    """Not allowed; somebody has to change RBAC or admission."""


class ApiNotFound(ApiRefused):
    """The object or its kind is not there."""


class ApiConflict(ApiRefused):
    """The object was replaced since it was looked at."""


class ApiGone(ApiRefused):
    """The resource version is too old to go on from."""


_BY_STATUS: dict[int, type[ApiRefused]] = {403: ApiForbidden, 404: ApiNotFound, 409: ApiConflict, 410: ApiGone}


def refused(*, status: int, reason: str, message: str, retry_after_s: float = 0.0) -> ApiRefused:
    """Returns the error that an HTTP status stands for."""
    kind = _BY_STATUS.get(status, ApiRefused)
    return kind(status=status, reason=reason, message=message, retry_after_s=retry_after_s)
