"""Stops engines, and tells what is left of them.

Before: `cycle`, whose engine takes over, or cannot run. After: `report` says what is in force.
"""

from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Engine, is_values_only
from terrace_agent.errors import StoreRefused
from terrace_agent.ladder import allows
from terrace_agent.order import Order
from terrace_agent.turn import Running
from terrace_api.policy import Mode

Engines = tuple[Engine, ...]


def stop(run: Running, engines: Engines) -> bool:
    """Stops these engines; returns whether there was anything to stop.

    Raises:
        Exception: what the first one failed with that could not be stopped; the others were, all the same.
    """
    before, failures = run.turn.steps, []
    for engine in engines:
        try:
            run.apply(engine, engine.plan_stop())
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return run.turn.steps != before


def make_way(run: Running, engine: Engine, engines: Engines) -> bool:
    """Stops all engines but this one, which takes over; returns whether there was anything to stop.

    Raises:
        Exception: see `stop`; but for settings beside which the engine may move memory: those stay the turn's failure.
    """
    before = run.turn.steps
    try:
        stop(run, tuple(other for other in engines if other is not engine))
    except StoreRefused as error:
        if not _may_start_beside(run, engine, engines):
            raise
        run.owe(error)
    return run.turn.steps != before


def stop_what_may_not_go_on(run: Running, engines: Engines) -> None:
    """Stops what must not run while no engine can."""
    if stop(run, tuple(engine for engine in engines if not _may_go_on(run.order, engine))):
        see_whether_all_is_stopped(run, engines)


def see_whether_all_is_stopped(run: Running, engines: Engines) -> None:
    """Notes that nothing is in force any more, if that is so."""
    see_whether_anything_is_left(run, engines)
    if not run.turn.left:
        run.see(outcome=Outcome.STOPPED)


def see_whether_anything_is_left(run: Running, engines: Engines) -> None:
    """Looks for what would have to be stopped; where that cannot be told, there is something."""
    run.see(left=True)
    run.see(left=any(engine.plan_stop().steps for engine in engines))


def _may_go_on(order: Order, engine: Engine) -> bool:
    """Returns whether what runs of an engine may go on while none can run: only what Enforce would allow, too."""
    settings = order.settings
    allowed = settings is not None and settings.mode is Mode.ENFORCE and allows(settings.engine, engine.name)
    return allowed and engine.goes_on_alone


def _may_start_beside(run: Running, engine: Engine, engines: Engines) -> bool:
    """Returns whether an engine may move memory although the others could not be stopped.

    Only a better one, and beside mere settings of the kernel, with their limits: it has to bear an administrator's too.
    What only watches may not: it would be said that nothing moves.
    """
    others = [other for other in engines if other is not engine and other.plan_stop().steps]
    is_better = all(engines.index(engine) < engines.index(other) for other in others)
    return run.turn.intent is Intent.ENFORCE and is_better and all(is_values_only(one.plan_stop()) for one in others)
