"""Two operators and one Lease: never two that may write, however slow requests and however odd the order."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrace_operator import elector as elector_module
from terrace_operator.election import ENDED_WITHIN_S, LEASE_S, RENEW_WITHIN_S, Lease, claim, sighted
from terrace_operator.elector import Elector
from terrace_operator.errors import ApiConflict, ApiForbidden, ApiNotFound, ApiUnreachable

NOW = "2026-06-01T12:00:00.000000Z"


class Table:
    """The Lease as an API server keeps it, and the true time."""

    def __init__(self) -> None:
        self.lease = Lease()
        self.now_s = 0.0
        self.writes = 0
        self.error: Exception | None = None
        self.gates: list[asyncio.Future[None]] | None = None

    async def read(self) -> Lease:
        await self._gate()
        found = self.lease
        await self._gate()
        return found

    async def write(self, lease: Lease) -> Lease:
        await self._gate()
        if lease.version and not self.lease.version:
            raise ApiNotFound(status=404, reason="NotFound", message="the object is not there")
        if lease.version != self.lease.version:
            raise ApiConflict(status=409, reason="Conflict", message="the object has been modified")
        self.writes += 1
        self.lease = replace(lease, version=f"v{self.writes}")
        stored = self.lease
        await self._gate()
        return stored

    async def _gate(self) -> None:
        """Waits until the test lets the request, or its answer, through."""
        if self.error is not None:
            raise self.error
        if self.gates is not None:
            gate = asyncio.get_running_loop().create_future()
            self.gates.append(gate)
            await gate


def candidate(table: Table, name: str, *, clock_off_s: float = 0.0, told: list[str] | None = None) -> Elector:
    said = told if told is not None else []
    return Elector(table, name, lambda: said.append(name), clock=lambda: table.now_s + clock_off_s)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_the_first_to_come_leads_and_renews() -> None:
    async def test() -> None:
        table, told = Table(), list[str]()
        first, second = candidate(table, "first", told=told), candidate(table, "second", told=told)
        for _ in range(20):
            await first.attempt()
            await second.attempt()
            table.now_s += 2
        assert (first.leading, second.leading, second.holder) == (True, False, "first")
        assert told == ["first"]
        assert (table.lease.transitions, table.lease.duration_s) == (1, LEASE_S)

    run(test)


def test_a_leader_that_fell_silent_is_followed_only_after_its_time() -> None:
    async def test() -> None:
        table = Table()
        first, second = candidate(table, "first"), candidate(table, "second")
        await first.attempt()
        taken_over_s = None
        while taken_over_s is None:
            table.now_s += 1
            await second.attempt()
            assert not (first.leading and second.leading)
            if second.leading:
                taken_over_s = table.now_s
        assert LEASE_S <= taken_over_s <= LEASE_S + 2

    run(test)


def test_a_write_ends_before_anybody_else_may_begin_one() -> None:
    async def test() -> None:
        table = Table()
        first = candidate(table, "first")
        await first.attempt()
        table.now_s = RENEW_WITHIN_S - 0.1
        assert table.now_s + first.left_s() == pytest.approx(ENDED_WITHIN_S)
        assert ENDED_WITHIN_S < LEASE_S
        table.now_s = RENEW_WITHIN_S
        assert first.left_s() == 0

    run(test)


def test_time_counts_from_when_a_renewal_was_sent() -> None:
    """It may have been stored at once, and its answer may have taken long."""

    async def test() -> None:
        table = Table()
        first = candidate(table, "first")
        table.gates = []
        attempt = asyncio.create_task(first.attempt())
        for delay_s in (0, 0, 0, 3):  # a look and a claim, each with its answer
            await until(lambda: bool(table.gates))
            table.now_s += delay_s
            table.gates.pop().set_result(None)
        await attempt
        assert first.left_s() == ENDED_WITHIN_S - 3

    run(test)


def test_a_leader_that_ends_hands_over_at_once() -> None:
    async def test() -> None:
        table, told = Table(), list[str]()
        first, second = candidate(table, "first", told=told), candidate(table, "second", told=told)
        await first.attempt()
        await second.attempt()
        await first.leave()
        assert not first.leading
        await second.attempt()
        assert second.leading
        assert told == ["first", "first", "second"]

    run(test)


def test_a_term_goes_on_if_nobody_else_led_in_between() -> None:
    async def test() -> None:
        table = Table()
        first, second = candidate(table, "first"), candidate(table, "second")
        await first.attempt()
        began = first.term
        table.now_s += LEASE_S
        assert not first.leading
        await first.attempt()
        assert (first.leading, first.term) == (True, began)
        await second.attempt()
        table.now_s += LEASE_S
        await second.attempt()
        await first.attempt()
        table.now_s += LEASE_S
        await first.attempt()
        assert (first.leading, first.term) == (True, began + 2)

    run(test)


def test_a_new_term_is_told_also_to_who_never_noticed_that_the_last_one_ended() -> None:
    """A process that was frozen while another one led and left: what that one wrote is not known here yet."""

    async def test() -> None:
        table, told = Table(), list[str]()
        first, second = candidate(table, "first", told=told), candidate(table, "second")
        await first.attempt()
        await second.attempt()
        table.now_s += LEASE_S
        await second.attempt()
        await second.leave()
        await first.attempt()
        assert (first.leading, first.term) == (True, 3)
        assert told == ["first", "first"]

    run(test)


def test_a_renewal_whose_answer_was_lost_is_no_reason_to_stop() -> None:
    async def test() -> None:
        table = Table()
        first = candidate(table, "first")
        await first.attempt()
        table.lease = replace(table.lease, version="7", renewed=NOW)
        table.now_s += 2
        await first.attempt()
        assert first.left_s() == ENDED_WITHIN_S

    run(test)


def test_a_lease_that_was_deleted_is_made_again() -> None:
    async def test() -> None:
        table = Table()
        first = candidate(table, "first")
        await first.attempt()
        table.lease = Lease()
        table.now_s += 2
        await first.attempt()
        assert (first.left_s(), table.lease.holder) == (ENDED_WITHIN_S, "first")

    run(test)


def test_a_lease_that_was_deleted_while_held_is_waited_out_by_all_others() -> None:
    """Its holder notices only at its next renewal, and may write until then."""

    async def test() -> None:
        table = Table()
        leader, standby = candidate(table, "leader"), candidate(table, "standby")
        await leader.attempt()
        await standby.attempt()
        table.lease = Lease()
        await standby.attempt()
        assert (leader.leading, standby.leading) == (True, False)
        await leader.attempt()
        assert (table.lease.holder, leader.term) == ("leader", 1), "nobody else led in between"
        table.lease = Lease()
        await standby.attempt()
        table.now_s += LEASE_S
        await standby.attempt()
        assert (leader.leading, standby.leading, standby.term) == (False, True, 2)

    run(test)


def test_a_lease_that_was_left_held_and_then_deleted_is_waited_out_no_longer_than_one_that_is_renewed() -> None:
    """People delete it to let the operator go on before its time."""

    async def test() -> None:
        table = Table()
        cleaner, standby = candidate(table, "cleaner"), candidate(table, "standby")
        await cleaner.take()
        await cleaner.leave(held_s=300)
        await standby.attempt()
        table.lease = Lease()
        await standby.attempt()
        table.now_s += LEASE_S
        await standby.attempt()
        assert standby.leading

    run(test)


def test_whoever_takes_the_lease_waits_also_for_the_holder_of_one_that_is_deleted_meanwhile() -> None:
    async def test() -> None:
        table = Table()
        leader, cleaner = candidate(table, "leader"), candidate(table, "cleaner")
        await leader.attempt()
        table.gates = []
        taking = asyncio.create_task(cleaner.take())
        for _ in range(2):
            await until(lambda: bool(table.gates))
            table.gates.pop().set_result(None)
        await until(lambda: bool(table.gates))
        late, table.gates = table.gates.pop(), None
        table.lease = Lease()
        late.set_result(None)
        await taking
        assert (table.lease.holder, leader.leading, cleaner.leading) == ("cleaner", True, False)
        table.now_s += LEASE_S
        await cleaner.attempt()
        assert cleaner.leading

    run(test)


def test_who_slept_does_not_make_a_deleted_lease_again_at_once() -> None:
    """Another one may have made one meanwhile, and lead although that was deleted as well."""

    async def test() -> None:
        table = Table()
        first, second = candidate(table, "first"), candidate(table, "second")
        await first.attempt()
        await second.attempt()
        table.now_s += LEASE_S
        await second.attempt()
        table.lease = Lease()
        await first.attempt()
        assert (first.leading, second.leading) == (False, True)
        await second.attempt()
        await first.attempt()
        assert first.holder == "second"

    run(test)


def test_a_term_has_another_number_than_all_before_also_after_the_lease_was_made_anew() -> None:
    async def test() -> None:
        table = Table()
        first, second = candidate(table, "first"), candidate(table, "second")
        table.lease = Lease(transitions=6, version="1")
        await first.attempt()
        table.lease = Lease()
        await second.attempt()
        await second.leave()
        table.now_s += LEASE_S
        await first.attempt()
        assert (first.leading, first.term) == (True, 8)

    run(test)


def test_who_does_not_lead_leaves_nothing() -> None:
    async def test() -> None:
        table = Table()
        first, second = candidate(table, "first"), candidate(table, "second")
        await first.attempt()
        await second.attempt()
        await second.leave()
        assert table.lease.holder == "first"

    run(test)


def test_whoever_takes_the_lease_waits_until_the_former_holder_has_stopped() -> None:
    async def test() -> None:
        table = Table()
        leader, cleaner = candidate(table, "leader"), candidate(table, "cleaner")
        await leader.attempt()
        await cleaner.take()
        assert (leader.leading, cleaner.leading) == (True, False)
        table.now_s += 2
        await leader.attempt()
        assert not leader.leading
        for _ in range(20):
            await cleaner.attempt()
            table.now_s += 1
        assert cleaner.leading
        await leader.attempt()
        assert not leader.leading

    run(test)


def test_whoever_took_the_lease_and_leaves_at_once_keeps_it_until_the_former_holder_has_stopped() -> None:
    """A clean-up that is interrupted: the former holder notices only at its next renewal."""

    async def test() -> None:
        table = Table()
        leader, cleaner, standby = candidate(table, "leader"), candidate(table, "cleaner"), candidate(table, "standby")
        await leader.attempt()
        await cleaner.take()
        table.now_s += 1
        await cleaner.leave()
        await standby.attempt()
        assert (leader.leading, standby.leading) == (True, False)
        table.now_s += LEASE_S - 1
        await standby.attempt()
        assert (leader.leading, standby.leading) == (False, True)

    run(test)


def test_who_has_left_never_leads_again() -> None:
    """The answer to a renewal that was under way may come when others may write."""

    async def test() -> None:
        table = Table()
        first = candidate(table, "first")
        await first.attempt()
        table.gates = []
        renewal = asyncio.create_task(first.attempt())
        await until(lambda: bool(table.gates))
        table.gates.pop().set_result(None)
        await until(lambda: bool(table.gates))
        late, table.gates = table.gates.pop(), None
        await first.leave()
        late.set_result(None)
        await renewal
        await first.attempt()
        assert (first.leading, table.lease.holder) == (False, "")

    run(test)


def test_a_free_lease_is_taken_without_waiting() -> None:
    async def test() -> None:
        cleaner = candidate(Table(), "cleaner")
        await cleaner.take()
        assert cleaner.leading

    run(test)


def test_a_lease_can_be_left_held() -> None:
    async def test() -> None:
        table = Table()
        cleaner, operator = candidate(table, "cleaner"), candidate(table, "operator")
        await cleaner.take()
        await cleaner.leave(held_s=300)
        assert not cleaner.leading
        await operator.attempt()
        table.now_s += 299
        await operator.attempt()
        assert not operator.leading
        table.now_s += 1
        await operator.attempt()
        assert operator.leading

    run(test)


@pytest.mark.parametrize(
    "error",
    [ApiUnreachable("refused"), ApiForbidden(status=403, reason="Forbidden", message="no"), TimeoutError()],
    ids=lambda error: type(error).__name__,
)
def test_an_api_server_that_is_away_ends_the_term_in_time_and_not_the_process(error: Exception) -> None:
    async def test() -> None:
        table, told = Table(), list[str]()
        first = candidate(table, "first", told=told)
        await first.attempt()
        table.error = error
        while table.now_s < 60:
            table.now_s += 2
            await first.attempt()
            assert first.leading == (table.now_s < RENEW_WITHIN_S)
        table.error = None
        await first.attempt()
        assert first.leading, "nobody else took it"
        assert told == ["first"] * 3

    run(test)


def test_a_request_that_hangs_does_not_outlast_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elector_module, "_ATTEMPT_S", 0.02)

    async def test() -> None:
        table = Table()
        table.gates = []
        first = candidate(table, "first")
        await asyncio.wait_for(first.attempt(), 5)
        assert not first.leading

    run(test)


def test_another_clock_does_not_matter() -> None:
    seen = sighted(None, Lease(holder="other", duration_s=LEASE_S, renewed="2001-01-01T00:00:00Z"), 1e9)
    assert claim(seen, "me", leading=False, now_s=1e9 + LEASE_S - 0.1, now=NOW) is None
    assert claim(seen, "me", leading=False, now_s=1e9 + LEASE_S, now=NOW) is not None


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


class Contest:
    """Candidates whose requests and answers come through in the order that the test chooses.

    One that leaves is followed by another process.
    """

    def __init__(self, number: int) -> None:
        self.table = Table()
        self.table.gates = []
        self._electors: list[Elector] = []
        self._now = [self._new() for _ in range(number)]
        self._tasks: list[asyncio.Task[None] | None] = [None] * number
        self._left: list[asyncio.Task[None]] = []

    @property
    def leading(self) -> int:
        """How many may write, of all that ever were."""
        return sum(one.leading for one in self._electors)

    async def step(self, one: int, what: str, *, advance_s: float, gate: int) -> None:
        """Lets some time pass; then one candidate begins something, or one request goes a step further."""
        assert self.table.gates is not None
        self.table.now_s += advance_s
        task = self._tasks[one]
        if what == "leave":
            self._leave(one)
        elif task is None or task.done():
            self._tasks[one] = asyncio.create_task(self._begin(one, what))
        elif self.table.gates:
            self.table.gates.pop(gate % len(self.table.gates)).set_result(None)
        for _ in range(4):
            await asyncio.sleep(0)

    async def end(self) -> None:
        tasks = [*self._left, *(task for task in self._tasks if task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _leave(self, one: int) -> None:
        """Ends one whatever it has under way, as nobody waits for that."""
        under_way, self._tasks[one] = self._tasks[one], None
        self._left += [under_way] if under_way else []
        self._left.append(asyncio.create_task(self._now[one].leave()))
        self._now[one] = self._new()

    async def _begin(self, one: int, what: str) -> None:
        elector = self._now[one]
        if what == "attempt":
            await elector.attempt()
            return
        await elector.take()
        if what == "take and leave":  # a clean-up that is interrupted as soon as it has the Lease
            self._now[one] = self._new()
            await elector.leave()

    def _new(self) -> Elector:
        number = len(self._electors)
        self._electors.append(candidate(self.table, f"process-{number}", clock_off_s=1000.0 * number))
        return self._electors[-1]


async def compete(contest: Contest, chance: random.Random, whats: Mapping[str, int], steps: int) -> None:
    """Two do what they may do, the more often the greater its number; at times one of them is frozen."""
    pace = chance.choice((1, 6))
    awake: tuple[int, ...] = ()
    for number in range(steps):
        if number % 40 == 0:
            awake = chance.choice(((0,), (1,), (0, 1), (0, 1))) if number else (0, 1)
        await contest.step(
            chance.choice(awake),
            chance.choices(list(whats), list(whats.values()))[0],
            advance_s=chance.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.5, 3.0)) * pace,
            gate=chance.randrange(12),
        )
        assert contest.leading <= 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_two_may_ever_write(seed: int) -> None:
    async def test() -> None:
        contest, chance = Contest(2), random.Random(seed)
        await compete(contest, chance, {"attempt": 88, "take": 3, "leave": 3, "take and leave": 6}, steps=400)
        await contest.end()

    run(test)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_two_that_know_of_each_other_may_ever_write_although_the_lease_is_deleted(seed: int) -> None:
    async def test() -> None:
        contest, chance, whats = Contest(2), random.Random(seed), {"attempt": 97, "take": 3}
        await compete(contest, chance, whats, steps=chance.randrange(40, 200))
        contest.table.lease = Lease()
        await compete(contest, chance, whats, steps=200)
        await contest.end()

    run(test)
