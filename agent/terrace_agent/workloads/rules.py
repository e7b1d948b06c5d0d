"""What a policy's rules and the opt-out label say of one pod. Pure.

Before: `roster`. After: `resolve`. The first rule that matches decides; a pod that none matches is tiered, as all
memory is without rules. The label `terrace.dev/tiering: disabled` wins over every rule.
"""

from terrace_agent.workloads.values import Decision, Known, Pod
from terrace_api import OPT_OUT_LABEL, OPT_OUT_VALUE
from terrace_api.selectors import matches as labels_match
from terrace_api.selectors import opted_out
from terrace_api.workloads import Match, WorkloadAction, WorkloadRule

Rules = tuple[WorkloadRule, ...]

_OPTED_OUT = f"label {OPT_OUT_LABEL}: {OPT_OUT_VALUE}"


def decide(rules: Rules, pod: Pod) -> Decision:
    """Returns what is done with a pod that is known."""
    rule = None if opted_out(pod.labels) else next((rule for rule in rules if matches(rule.match, pod)), None)
    if opted_out(pod.labels):
        tiered, why = False, _OPTED_OUT
    elif rule is None:
        tiered, why = True, "no rule matches" if rules else ""
    else:
        tiered, why = rule.action is WorkloadAction.TIER, f"{rule.action.value} by rule {rule.name}"
    return Decision(
        uid=pod.uid,
        tiered=tiered,
        namespace=pod.namespace,
        name=pod.name,
        rule=rule.name if rule else "",
        why=why,
        limits=rule.fast_memory if rule else None,
    )


def decide_unknown(rules: Rules, known: Known | None, uid: str) -> Decision:
    """Returns what is done with a pod that nobody has named yet: it is left alone if it could be excluded.

    Without rules that exclude only the label could, and that comes before the pod's containers start, as long as the
    API server is heard. `known` is None where nobody names pods: by hand, on a machine of its own.
    """
    if not excludes(rules) and (known is None or known.is_current):
        return Decision(uid=uid, tiered=True)
    return Decision(uid=uid, tiered=False, why="not named by the API server yet" if known else "nobody names pods here")


def excludes(rules: Rules) -> bool:
    """Returns whether any rule excludes."""
    return any(rule.action is WorkloadAction.EXCLUDE for rule in rules)


def matches(match: Match | None, pod: Pod) -> bool:
    """Returns whether the pod has everything that is asked for; nothing is asked without `match`."""
    if match is None:
        return True
    return (
        _is_among(pod.namespace, match.namespaces)
        and (match.pod_selector is None or labels_match(match.pod_selector, pod.labels))
        and _is_among(pod.qos_class, match.qos_classes)
        and _is_among(pod.priority_class, match.priority_classes)
    )


def _is_among(value: str | None, choices: tuple[str, ...] | None) -> bool:
    return choices is None or value in choices
