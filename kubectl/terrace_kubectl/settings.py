"""Settings as lines that people and `diff` compare. Pure.

Before: `policy` values of the API. After: `explain_node`, `diff`.
"""

from collections.abc import Iterator, Mapping

from terrace_api.codec import encode, encode_node_tiering_spec
from terrace_api.defaults import Json
from terrace_api.node_tiering import Action, NodeTieringSpec
from terrace_api.policy import Settings

Lines = Mapping[str, str]
"""The value of each setting, as people write it, by its path."""


def lines(settings: Settings) -> Lines:
    """Returns every setting by its path, defaults included."""
    return dict(_flat(encode(settings), ""))


def sparse(settings: Settings) -> Lines:
    """Returns what is not the default, and the mode, by its path."""
    return dict(
        _flat(encode_node_tiering_spec(NodeTieringSpec(action=Action.MANAGE, settings=settings))["settings"], "")
    )


def changed_from_default(settings: Settings) -> tuple[str, ...]:
    """Returns what is not the default, and the mode, as `path: value`."""
    return tuple(f"{path}: {value}" for path, value in sparse(settings).items())


def _flat(value: Json, path: str) -> Iterator[tuple[str, str]]:
    """Yields paths and values; of things with names also their order, which matters."""
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _flat(child, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list) and value and all(isinstance(child, dict) for child in value):
        keys = [str(child.get("name", index)) for index, child in enumerate(value)]
        yield path, ", ".join(keys)
        for key, child in zip(keys, value, strict=True):
            yield from _flat({name: one for name, one in child.items() if name != "name"}, f"{path}[{key}]")
    else:
        yield path, _plain(value)


def _plain(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
