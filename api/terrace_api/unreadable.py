"""From what cattrs could not structure to problems that name the field as people write it, with the cure. Pure.

Before: `codec`. After: `errors.InvalidObject`.
"""

import re
from enum import StrEnum

import cattrs

from terrace_api.errors import Problem
from terrace_api.units import UnitError

_FIELD = re.compile(r"\.([a-z0-9_]+)")


def problems(error: cattrs.BaseValidationError, *, path: str) -> tuple[Problem, ...]:
    """Returns one problem per field below `path` that could not be read."""
    return tuple(map(_problem, cattrs.transform_error(error, path=path, format_exception=_spell)))


def camel(name: str) -> str:
    """Returns the name of a field in objects, as `minAge` for `min_age`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _problem(text: str) -> Problem:
    message, _, path = text.rpartition(" @ ")
    return Problem(field=_FIELD.sub(lambda match: f".{camel(match[1])}", path), message=message)


def _spell(error: BaseException, kind: type | None) -> str:
    match error:
        case UnitError():
            return str(error)
        case KeyError():
            return "is missing; it is required"
        case ValueError() if isinstance(kind, type) and issubclass(kind, StrEnum):
            return f"{error.args[0].partition(' is not')[0]} is not one of {', '.join(kind)}"
        case ValueError():
            return str(error)
        case _:
            return f"cannot be read as {getattr(kind, '__name__', kind)}"
