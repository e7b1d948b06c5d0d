from cases.fleets import AT_ONCE, a_node, a_policy, a_tiering, an_invalid_policy, look, policies, unread
from terrace_operator.compile import RESTORE, compile_spec
from terrace_operator.fleet import Node, Tiering
from terrace_operator.node_writes import NodeWrite, node_writes, outlived

POLICY = a_policy("batch", **AT_ONCE)
SPEC = compile_spec(POLICY)
NODE = a_node("a")


def writes(node: Node, tiering: Tiering | None, *, adoptable: frozenset[str] = frozenset()) -> tuple[NodeWrite, ...]:
    tierings = {tiering.name: tiering} if tiering else {}
    return node_writes(look(policies(POLICY), [node], tierings.values()).decisions, tierings, adoptable)


def test_a_node_without_a_node_tiering_gets_one() -> None:
    (write,) = writes(NODE, None)
    assert (write.name, write.node_uid, write.uid, write.spec) == ("a", "uid-a", None, SPEC)
    assert write.reason == "policy batch selects it"


def test_what_is_as_decided_is_not_written() -> None:
    assert writes(NODE, a_tiering(NODE, SPEC)) == ()


def test_another_spec_is_written_to_the_very_object_that_was_seen() -> None:
    (write,) = writes(NODE, a_tiering(NODE, RESTORE))
    assert (write.uid, write.spec) == ("nt-uid-a", SPEC)


def test_a_spec_that_cannot_be_read_is_written_anew() -> None:
    (write,) = writes(NODE, a_tiering(NODE, spec=None))  # type: ignore[arg-type]
    assert write.spec == SPEC


def test_a_spec_that_cannot_be_read_is_left_alone_while_its_policy_cannot_be_read_either() -> None:
    tiering = unread(a_tiering(NODE, outranked="other"), "broken")
    decided = look(policies(POLICY, invalid=(an_invalid_policy("broken"),)), [NODE], [tiering])
    assert node_writes(decided.decisions, {"a": tiering}, ()) == ()


def test_a_spec_that_cannot_be_read_is_written_anew_when_its_policy_is_gone() -> None:
    (write,) = writes(NODE, unread(a_tiering(NODE), "gone"))
    assert write.spec == SPEC


def test_a_node_tiering_without_an_owner_gets_one() -> None:
    (write,) = writes(NODE, a_tiering(NODE, SPEC, node_uid=None))
    assert (write.node_uid, write.uid) == ("uid-a", "nt-uid-a")


def test_a_node_tiering_of_a_vanished_node_is_left_to_the_garbage_collector() -> None:
    gone = a_tiering(a_node("gone"), SPEC)
    assert node_writes(look(policies(POLICY), [], [gone]).decisions, {"gone": gone}, frozenset()) == ()


def test_one_of_an_earlier_registration_is_left_until_it_is_collected() -> None:
    again = a_node("a", uid="second")
    assert writes(again, a_tiering(NODE, RESTORE)) == ()
    (write,) = writes(again, None)
    assert (write.node_uid, write.uid) == ("second", None)


def test_one_that_nobody_collects_is_taken_over_without_what_the_earlier_node_was_told() -> None:
    again = a_node("a", uid="second")
    (write,) = writes(again, a_tiering(NODE, SPEC), adoptable=frozenset({"nt-uid-a"}))
    assert (write.node_uid, write.uid, write.spec) == ("second", "nt-uid-a", RESTORE)


def test_one_that_is_being_deleted_is_left_alone() -> None:
    assert writes(NODE, a_tiering(NODE, RESTORE, deleting=True)) == ()


def test_only_those_of_an_earlier_registration_have_outlived_it() -> None:
    again, fresh, unowned = a_node("a", uid="second"), a_node("b"), a_node("c")
    held = a_node("d", uid="second")
    tierings = {
        "d": a_tiering(a_node("d"), deleting=True),
        "a": a_tiering(NODE),
        "b": a_tiering(fresh),
        "c": a_tiering(unowned, node_uid=None),
        "gone": a_tiering(a_node("gone")),
    }
    assert outlived(look(policies(), [again, fresh, unowned, held], tierings.values()).decisions, tierings) == {
        "nt-uid-a"
    }
