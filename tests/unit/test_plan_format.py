"""The plan format: versions, deprecation, groups, conventions, routing, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_tools import HEAD, a_customer, completed, occurrence, write_plan

from cdi_cli.plan import PlanError, PlanProblem, compile_plan, load_plan
from cdi_cli.plan.model import Conventions, Deprecation, Routing
from cdi_cli.plan.names import is_past
from cdi_cli.plan.versions import Version, is_version

EVENT = "event: Order Completed\ntrigger: order.completed\nproperties:\n  order_id: {type: string, from: order.id}\n"
IDENTIFY = "event: identify\ntype: identify\ntrigger: customer.profile\n"
LINES = (
    "  products:\n    type: array\n    from: order.lines\n    items:\n      type: object\n      properties:\n"
    "        sku: {type: string, from: item.sku}\n        name: {type: string, from: item.name}\n"
)

# title -> (files, the file and line of the only mistake, words of its message, words of its hint)
MISTAKES: dict[str, tuple[dict[str, str], str, str, str]] = {
    "not a tense": ({"plan.yaml": f"{HEAD}conventions: {{event_tense: pasd}}\n"}, "plan.yaml:3", "`event_tense`", "`past`"),
    "present tense": (
        {"plan.yaml": f"{HEAD}conventions:\n  event_tense: past\n", "events/b.yaml": EVENT.replace("Completed", "Confirm")},
        "events/b.yaml:1",
        "`Order Confirm` does not end in a verb in the past tense",
        "Order Completed",
    ),
    "since no version": (
        {"events/b.yaml": 'since: "1.2"\n' + EVENT},
        "events/b.yaml:1",
        "`since` must be a version",
        '"1.2.0"',
    ),
    "since a number": ({"events/b.yaml": "since: 1.2\n" + EVENT}, "events/b.yaml:1", "`since` must be a version", "quotes"),
    "since the future": (
        {"events/b.yaml": EVENT + '  a: {type: string, from: order.id, since: "1.3.0"}\n'},
        "events/b.yaml:5",
        "`since: 1.3.0` is later than the plan's own version 1.2.3",
        "raise `version`",
    ),
    "gone before it came": (
        {"events/b.yaml": 'since: "1.2.0"\ndeprecated: "1.1.0"\n' + EVENT},
        "events/b.yaml:2",
        "deprecated in 1.1.0, but it came only with 1.2.0",
        "correct one",
    ),
    "deprecated without since": (
        {"events/b.yaml": "deprecated: {reason: old}\n" + EVENT},
        "events/b.yaml:1",
        "`since` is missing",
        "which version",
    ),
    "unknown replacement": (
        {
            "events/b.yaml": EVENT
            + '  old: {type: string, from: order.id, deprecated: {since: "1.0.0", replacement: order}}\n'
        },
        "events/b.yaml:5",
        "the replacement `order` is not planned in this event",
        "`order_id`",
    ),
    "unknown replacement of an event": (
        {"events/b.yaml": 'deprecated: {since: "1.0.0", replacement: Order Done}\n' + EVENT},
        "events/b.yaml:2",
        "the replacement `Order Done` is no event of this plan",
        "`Order Completed`",
    ),
    "unknown group": (
        {
            "groups/contact.yaml": "traits: {email: {type: string, from: customer.email}}\n",
            "events/b.yaml": IDENTIFY + "groups: [contacts]\n",
        },
        "events/b.yaml:4",
        "`contacts` is no group of this plan",
        "did you mean `contact`?",
    ),
    "groups not names": (
        {"events/b.yaml": EVENT + "groups: [{a: b}]\n"},
        "events/b.yaml:5",
        "must be a list of names",
        "[a, b]",
    ),
    "group of nothing": (
        {"groups/a.yaml": "description: Nothing\n"},
        "groups/a.yaml:1",
        "either `properties` or `traits`",
        "one of them",
    ),
    "unknown key in a group": (
        {"groups/a.yaml": "properties: {}\npropertys: {}\n"},
        "groups/a.yaml:2",
        "unknown key `propertys`",
        "`properties`",
    ),
    "same name in two groups": (
        {
            "groups/a.yaml": "properties: {x: {type: string, from: order.id}}\n",
            "groups/b.yaml": "properties: {x: {type: string, from: order.number}}\n",
            "events/b.yaml": EVENT + "groups: [a, b]\n",
        },
        "events/b.yaml:5",
        "`x` is in the groups `a` and `b`",
        "which wins",
    ),
    "path that the group's event lacks": (
        {"groups/a.yaml": "properties:\n  x: {type: string, from: refund.id}\n", "events/b.yaml": EVENT + "groups: a\n"},
        "groups/a.yaml:2",
        "`refund` is not known here",
        "`order`",
    ),
    "chain of definitions": (
        {
            **{f"definitions/d{number}.yaml": f"$ref: d{number + 1}\n" for number in range(20)},
            "definitions/d20.yaml": "type: string\n",
            "events/b.yaml": EVENT + "  a: {$ref: d0, from: order.id}\n",
        },
        "definitions/d7.yaml:1",
        "more than 8 definitions refer to each other",
        "put some of them together",
    ),
    "destinations not a mapping": (
        {"events/b.yaml": EVENT + "destinations: [a]\n"},
        "events/b.yaml:5",
        "must be a mapping",
        "",
    ),
    "destination's name": (
        {"events/b.yaml": EVENT + "destinations: {My CDP: false}\n"},
        "events/b.yaml:5",
        "1 to 64 of",
        "cdi.yaml",
    ),
    "destination a number": (
        {"events/b.yaml": EVENT + "destinations: {a: 0}\n"},
        "events/b.yaml:5",
        "`false`, `true`",
        "keeps",
    ),
    "unknown routing key": (
        {"events/b.yaml": EVENT + "destinations: {a: {renam: B}}\n"},
        "events/b.yaml:5",
        "unknown key `renam`",
        "`rename`",
    ),
    "identify renamed": (
        {"events/b.yaml": IDENTIFY + "traits: {x: {type: string, from: customer.id}}\ndestinations: {a: {rename: B}}\n"},
        "events/b.yaml:5",
        "has no name of its own",
        "remove",
    ),
    "traits of a track": (
        {"events/b.yaml": EVENT + "destinations: {a: {traits: {exclude: order_id}}}\n"},
        "events/b.yaml:5",
        "has `properties`, not `traits`",
        "`properties`",
    ),
    "excluded but not planned": (
        {"events/b.yaml": EVENT + "destinations: {a: {properties: {exclude: [order_idd]}}}\n"},
        "events/b.yaml:5",
        "the event has no property `order_idd`",
        "`order_id`",
    ),
    "excluded element": (
        {"events/b.yaml": EVENT + LINES + 'destinations: {a: {properties: {exclude: ["products[]"]}}}\n'},
        "events/b.yaml:13",
        "the event has no property `products[]`",
        "`products`",
    ),
    "renamed and excluded": (
        {
            "events/b.yaml": EVENT
            + LINES
            + 'destinations: {a: {properties: {exclude: products, rename: {"products[].sku": x}}}}\n'
        },
        "events/b.yaml:13",
        "both excluded and renamed",
        "remove one",
    ),
    "two of one name": (
        {"events/b.yaml": EVENT + LINES + 'destinations: {a: {properties: {rename: {"products[].sku": name}}}}\n'},
        "events/b.yaml:13",
        "`products[].sku` and `products[].name` would both be called `name`",
        "another name",
    ),
    "renamed to nothing": (
        {"events/b.yaml": EVENT + 'destinations: {a: {properties: {rename: {order_id: ""}}}}\n'},
        "events/b.yaml:5",
        "a name has 1 to 255 printable characters",
        "new_name",
    ),
}


def problems_of(folder: Path) -> tuple[PlanProblem, ...]:
    """The mistakes of a plan that has some."""
    with pytest.raises(PlanError) as caught:
        load_plan(folder)
    return caught.value.problems


@pytest.mark.parametrize(("files", "place", "message", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_once_at_its_line(
    tmp_path: Path, files: dict[str, str], place: str, message: str, hint: str
) -> None:
    """One mistake in the newer parts of the format gives one finding, at its line, with a next step."""
    other = "event: Cart Seen\ntrigger: cart.checkout_started\nproperties: {id: {type: string, from: cart.id}}\n"
    write_plan(tmp_path, {"events/a.yaml": other, **files})

    found = problems_of(tmp_path)

    assert [str(problem) for problem in found[1:]] == []
    assert f"{Path(found[0].file).relative_to(tmp_path)}:{found[0].line}" == place
    assert message in found[0].message
    assert hint in (found[0].hint or "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Order Completed", True),
        ("Signed Up", True),
        ("email_sent", True),
        ("cartAbandoned", True),
        ("Invoice Paid", True),
        ("SMS Sent", True),
        ("Order Complete", False),
        ("Complete Order", False),
        ("Sign Up", False),
        ("News Feed", False),
        ("Up", False),
        ("!", False),
    ],
)
def test_the_past_tense_is_told_by_the_last_verb(name: str, expected: bool) -> None:
    """Regular and irregular verbs in the past tense pass, with or without a particle; other words do not."""
    assert is_past(name) is expected


def test_versions_are_compared_by_precedence() -> None:
    """The order of semver.org, section 11; build metadata does not count, and what is no version is refused."""
    ordered = (
        "0.9.9 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.2.0 1.10.0"
    )
    versions = [Version(text) for text in ordered.split()]

    assert sorted(versions, key=lambda version: (version, version.text)) == sorted(set(versions)) == versions
    assert len(set(versions)) == len(versions)
    assert Version("1.0.0+a") == Version("1.0.0+b")
    assert not any(map(is_version, ["1.0", "01.0.0", "1.0.0-", "v1.0.0", "1.0.0-a..b", "", "1.0.0\n"]))


def test_what_a_plan_says_about_versions_is_kept(tmp_path: Path) -> None:
    """`since` and `deprecated` of events and properties arrive in the model, also through a definition."""
    event = (
        'since: "1.0.0"\ndeprecated: {since: "1.2.0", reason: twice, replacement: Order Completed}\n'
        + EVENT
        + '  old: {$ref: old_id, from: order.id, deprecated: {since: "1.1.0", replacement: order_id}}\n'
    )
    write_plan(tmp_path, {"events/a.yaml": event, "definitions/old_id.yaml": 'type: string\nsince: "0.9.0"\n'})

    read = load_plan(tmp_path).events[0]

    assert (read.since, read.deprecated) == ("1.0.0", Deprecation("1.2.0", "twice", "Order Completed"))
    old = read.properties[1]
    assert (old.since, old.deprecated) == ("0.9.0", Deprecation("1.1.0", replacement="order_id"))
    assert read.properties[0].deprecated is None


def test_a_group_is_taken_whole_and_an_event_wins_over_it(tmp_path: Path) -> None:
    """Properties of a group come first, with its name; one that the event names itself is the event's own."""
    group = "traits:\n  email: {type: string, from: customer.email}\n  phone: {type: string, from: customer.phone}\n"
    own = "traits:\n  phone: {type: string, from: customer.number}\n  title: {type: string, from: customer.title}\n"
    write_plan(tmp_path, {"groups/contact.yaml": group, "events/a.yaml": IDENTIFY + "groups: [contact]\n" + own})

    plan = load_plan(tmp_path)
    rule = compile_plan(plan).rules("customer.profile")[0]
    customer = a_customer(email="jo@example.com", number="C-7", phone="+49", title="Dr")

    assert plan.events[0].groups == ("contact",)
    assert [(each.name, each.group) for each in plan.events[0].properties] == [
        ("email", "contact"),
        ("phone", ""),
        ("title", ""),
    ]
    expected = {"email": "jo@example.com", "phone": "C-7", "title": "Dr"}
    assert rule.map(occurrence("customer.profile", customer=customer), b"{}") == expected


def test_a_group_alone_is_enough_for_an_event(tmp_path: Path) -> None:
    """An event may consist of groups; the conventions hold for what they bring."""
    files = {
        "plan.yaml": f"{HEAD}conventions: {{property_case: snake}}\n",
        "groups/ids.yaml": "properties:\n  orderId: {type: string, from: order.id}\n",
        "events/a.yaml": "event: Tested\ntrigger: order.completed\ngroups: ids\n",
    }
    write_plan(tmp_path, files)

    assert [problem.message for problem in problems_of(tmp_path)] == ["the name `orderId` is not in snake case"]

    (tmp_path / "plan.yaml").write_text(HEAD, encoding="utf-8")
    rule = compile_plan(load_plan(tmp_path)).rules("order.completed")[0]
    assert rule.map(completed(), b"{}") == {"orderId": "order-1"}


def test_what_no_event_uses_is_known(tmp_path: Path) -> None:
    """Definitions and groups that nothing refers to are listed with their places; those used by others are not."""
    files = {
        "definitions/used.yaml": "$ref: inner\n",
        "definitions/inner.yaml": "type: string\n",
        "definitions/idle.yaml": "type: string\n",
        "groups/idle.yaml": "properties: {a: {type: string, from: order.id}}\n",
        "events/a.yaml": EVENT + "  a: {$ref: used, from: order.id}\n",
    }
    unused = load_plan(write_plan(tmp_path, files)).unused

    assert [(each.noun, each.name) for each in unused] == [("definition", "idle"), ("group", "idle")]
    assert Path(unused[0].place.file) == tmp_path / "definitions" / "idle.yaml"


def test_policies_and_conventions_of_the_head(tmp_path: Path) -> None:
    """Everything that `plan.yaml` decides is in the model; what it leaves open has its default."""
    head = (
        HEAD + "on_violation: warn\nunplanned_properties: strip\nunplanned_events: block\nconventions: {event_tense: past}\n"
    )
    plan = load_plan(write_plan(tmp_path, {"plan.yaml": head, "events/a.yaml": EVENT}))
    rule = compile_plan(plan).rules("order.completed")[0]

    assert (plan.on_violation, plan.unplanned_properties, plan.unplanned_events) == ("warn", "strip", "block")
    assert (rule.on_violation, rule.on_unplanned) == ("warn", "strip")
    assert plan.conventions == Conventions(event_tense="past")
    assert load_plan().unplanned_events == "ignore"


def test_the_name_of_a_destination_wins_over_its_type(tmp_path: Path) -> None:
    """Routing is looked up by name, then by type; a destination of neither gets the event as it is."""
    event = load_plan(
        write_plan(tmp_path, {"events/a.yaml": EVENT + "destinations: {segment: false, test: true, other: {rename: B}}\n"})
    ).events[0]

    def sent(name: str, kind: str) -> Any:
        route = event.route(name, kind)
        return route and route.is_sent

    assert (sent("live", "segment"), sent("test", "segment"), sent("live", "else")) == (False, True, None)
    assert event.routing[2] == Routing("other", event.routing[2].place, event_name="B")
