"""Whether an installation does its work: policies are served, an operator leads, every node's agent speaks. Pure.

Before: `check` looks. After: it prints.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from terrace_operator.fleet import Agent, Tiering
from terrace_operator.liveness import said
from terrace_operator.wording import a_few, nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """All that is looked at.

    Attributes:
        policies_problem: why policies could not be listed; empty if they could.
        lease: its namespace and name.
        lease_problem: why it could not be read; empty if it could.
        holder: of the Lease; empty for nobody.
        renewed: whether its holder was seen to renew it: no two clocks are compared.
        nodes: names of all nodes; None while they or the NodeTierings are not listed.
        tierings: by node.
    """

    policies_problem: str
    lease: str
    lease_problem: str
    holder: str
    renewed: bool
    nodes: Iterable[str] | None
    tierings: Mapping[str, Tiering]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that was looked at."""

    good: bool
    words: str

    def line(self) -> str:
        """Returns a line for people."""
        return f"{'ok  ' if self.good else 'FAIL'}  {self.words}"


def checkup(sight: Sight) -> tuple[Point, ...]:
    """Returns what is well and what is not."""
    return (_policies(sight), _leader(sight), *_nodes(sight))


def _policies(sight: Sight) -> Point:
    if sight.policies_problem:
        return _bad(f"TieringPolicies cannot be listed: {sight.policies_problem}")
    return _good("TieringPolicies are served")


def _leader(sight: Sight) -> Point:
    if sight.lease_problem:
        return _bad(f"Lease {sight.lease} cannot be read: {sight.lease_problem}")
    if not sight.holder:
        return _bad(f"nobody holds Lease {sight.lease}: no operator writes")
    if not sight.renewed:
        return _bad(f"{sight.holder} holds Lease {sight.lease} and does not renew it: no operator writes")
    return _good(f"{sight.holder} leads: it renews Lease {sight.lease}")


def _nodes(sight: Sight) -> Iterator[Point]:
    if sight.nodes is None:
        yield _bad("Nodes and NodeTierings could not be listed")
        return
    names = sorted(sight.nodes)
    if missing := [name for name in names if name not in sight.tierings]:
        yield _bad(f"{nodes(len(missing))} without a NodeTiering: {a_few(missing)}")
    else:
        yield _good(f"every node has a NodeTiering: {nodes(len(names))}")
    yield from _agents([sight.tierings[name] for name in names if name in sight.tierings])


def _agents(tierings: list[Tiering]) -> Iterator[Point]:
    """A node that is not ready, or on which no agent shall run, says nothing about the installation."""
    alike: dict[Agent | None, list[str]] = {}
    for tiering in tierings:
        alike.setdefault(_agent(tiering), []).append(tiering.name)
    alive, none = alike.get(Agent.ALIVE, []), alike.get(Agent.NONE, [])
    if unheard := alike.get(None):
        yield _bad(f"the agents of {nodes(len(unheard))} have not spoken yet: {a_few(unheard)}")
    if silent := alike.get(Agent.SILENT):
        yield _bad(f"the agents of {nodes(len(silent))} are silent: {a_few(silent)}")
    if away := alike.get(Agent.NODE_NOT_READY):
        yield _good(f"not judged, since Kubernetes calls them not ready: {a_few(away)}")
    if tierings and not alive:
        yield _bad("no agent speaks on any node")
    elif not unheard and not silent:
        yield _good(f"agents speak on {nodes(len(alive))}" + (f", none runs on {nodes(len(none))}" if none else ""))


def _agent(tiering: Tiering) -> Agent | None:
    """Returns what is known of a node's agent; None if it has yet to speak and nobody knows more."""
    return said(tiering.alive) or (Agent.ALIVE if tiering.report is not None else None)


def _good(words: str) -> Point:
    return Point(good=True, words=words)


def _bad(words: str) -> Point:
    return Point(good=False, words=words)
