"""The journal as JSON, in a form that older agents read as well. Pure.

A node's agent may be replaced by an older one while kdamonds run (`helm rollback`), and that one must find what was
left to it. The first release refuses fields that it does not know, so `state` holds its fields and no others. What came
later is in `since`, which it overlooks, and drops when it saves: then it reads as blank here. The directions of a
kdamond do not: without them the kdamonds of an older agent would be taken for such as move nothing, and made anew.
In the same way each release overlooks what in `since` is newer than itself.

Before: `journal`, which keeps the file.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from terrace_agent.journal import Cooldown, Counter, JournalState, Original, OwnedKdamond, Tally

Json = dict[str, Any]

_STATE = ("originals", "owned", "counters", "promoted_bytes", "demoted_bytes", "features")
_ENTRIES = {
    "owned": ("index", "source_nid", "files", "made_from", "former", "pid", "in_force"),
    "counters": (
        *("index", "scheme", "promotes", "target_nid", "pid", "applied_bytes"),
        *("foreign_pages", "thp_migrations", "arrived_bytes"),
    ),
}
"""The fields of the first release: none may be added or taken away."""
_CLASSES: Mapping[str, type] = {"owned": OwnedKdamond, "counters": Counter}
_SCHEME_FILE = re.compile(r"schemes/(\d+)/(action|target_nid)$")
_PROMOTES = {"migrate_hot": True, "migrate_cold": False}


def encode(state: JournalState) -> Json:
    """Returns the members `state` and `since` of the file."""
    whole = asdict(state)
    older, since = _split(whole, _STATE)
    for name, first in _ENTRIES.items():
        pairs = [_split(entry, first) for entry in whole[name]]
        older[name], since[name] = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return {"state": older, "since": since}


def decode(content: Mapping[str, Any]) -> JournalState:
    """Returns what such members say.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: no agent of this version or an older one wrote them.
    """
    older, since = content["state"], content.get("since", {})
    joined = {name: _joined(older[name], since.get(name), of) for name, of in _CLASSES.items()}
    state: Json = {**older, **_known(since, JournalState), **joined}
    return JournalState(
        originals=tuple(Original(**entry) for entry in state.pop("originals")),
        owned=tuple(_owned(entry) for entry in state.pop("owned")),
        counters=tuple(Counter(**entry) for entry in state.pop("counters")),
        tallies=tuple(Tally(**_known(entry, Tally)) for entry in state.pop("tallies", ())),
        features=None if (found := state.pop("features")) is None else tuple(found),
        counted_pages=tuple((name, count) for name, count in state.pop("counted_pages", ())),
        cooldown=Cooldown(**_known(entry, Cooldown)) if (entry := state.pop("cooldown", None)) else None,
        **state,
    )


def _split(whole: Json, first: tuple[str, ...]) -> tuple[Json, Json]:
    return {name: whole[name] for name in first}, {name: whole[name] for name in whole if name not in first}


def _joined(older: list[Json], since: list[Json] | None, of: type) -> list[Json]:
    return older if since is None else [entry | _known(rest, of) for entry, rest in zip(older, since, strict=True)]


def _known(entry: Json, of: type) -> Json:
    names = {one.name for one in fields(of)}
    return {name: value for name, value in entry.items() if name in names}


def _owned(entry: Json) -> OwnedKdamond:
    files, former, staged = (
        tuple((path, value) for path, value in pairs)
        for pairs in (entry.pop("files"), entry.pop("former"), entry.pop("staged", ()))
    )
    told = entry.pop("directions", None)
    directions = _directions(files) if told is None else tuple((promotes, nid) for promotes, nid in told)
    return OwnedKdamond(files=files, former=former, staged=staged, directions=directions, **entry)


def _directions(files: tuple[tuple[str, str], ...]) -> tuple[tuple[bool, int], ...]:
    """Returns what schemes that were to be staged say of directions."""
    schemes: dict[str, dict[str, str]] = {}
    for path, value in files:
        if found := _SCHEME_FILE.search(path):
            schemes.setdefault(found[1], {})[found[2]] = value
    moving = (scheme for scheme in schemes.values() if scheme.get("action") in _PROMOTES and "target_nid" in scheme)
    return tuple(dict.fromkeys((_PROMOTES[scheme["action"]], int(scheme["target_nid"])) for scheme in moving))
