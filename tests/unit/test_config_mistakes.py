"""Mistakes in settings: all at once, each at its place, in plain words, with a suggestion, and never with a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_connectors import GOOD, brief, changed, problems_of

from cdi_cli.config.problems import looks_like_credential, nearest, show_value

CANARY = "sK9fQ2xT7bL4mZ8wR1cV6nD3"

PLANTED = """\
workspace: Acme Shop
worker: 3
sources:
  main:
    type: shopp
  second:
    type: shop
    project_key: my-shop
    project_key: again
    client_secret: sK9fQ2xT7bL4mZ8wR1cV6nD3
    page_size: 5000
    regoin: north
destinations:
  sink: {type: sink, write_key: "${KEY}", region: uk}
pipelines:
  daily:
    source: secnd
    destinations: [sink]
    workers: 2
    consent: {an id of a category that is far too long: {field: a}}
    lifecycle: {off: [order.updatd]}
    ids: {Order Completed: "{entity_nr}-{entity_id}"}
  nightly: {source: second, destinations: [sink],
    streams: [order]}
"""


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Every planted mistake is found in one run, in the order of the file, with its line and what to do."""
    found = [brief(problem) for problem in problems_of(tmp_path, PLANTED)]

    assert found == [
        (1, "`workspace` must be 1 to 64 of `a-z`, `0-9`, `_`, `-`", None),
        (2, "unknown key `worker`", "did you mean `workspace`?"),
        (5, "unknown source type `shopp`", "did you mean `shop`?"),
        (9, "key `project_key` is given twice", "it is already on line 8"),
        (
            10,
            "`client_secret` must be a reference to a secret, not the secret itself",
            "export SECOND_CLIENT_SECRET=... and write `${SECOND_CLIENT_SECRET}` here, or `file:/path`, "
            "or `keyring:service/name`",
        ),
        (11, "`page_size` must be at most 500", None),
        (12, "unknown key `regoin`", "did you mean `region`?"),
        (14, "`region` must be one of `us`, `eu`", "known: `us`, `eu`"),
        (17, "unknown source `secnd`", "did you mean `second`?"),
        (20, "name `an id of a category that is far too long` must be 1 to 34 characters", None),
        (21, "unknown lifecycle kind `order.updatd`", "did you mean `order.updated`?"),
        (22, "unknown field `{entity_nr}` in an id", "did you mean `entity_number`?"),
        (24, "unknown stream `order`", "did you mean `orders`?"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("workspace: acme", "# none", (2, "key `workspace` is missing")),
        ("workspace: acme", "workspace:", (1, "`workspace` must be text")),
        ("workspace: acme", "workspace: 12", (1, "`workspace` must be text")),
        ("workspace: acme", "workspace: acme\nplan: [a]", (2, "`plan` must be a path")),
        (
            "workspace: acme",
            "workspace: acme\nlog: {file: a, level: loud}",
            (2, "`level` must be one of `debug`, `info`, `warning`, `error`"),
        ),
        ("workspace: acme", "workspace: acme\nfile: x.yaml", (2, "unknown key `file`")),
        ("workspace: acme", "workspace: acme\nledger: {keep: 1h}", (2, "`keep` must be at least 1d")),
        (
            "workspace: acme",
            "workspace: acme\nledger: {keep: 5y}",
            (2, "`5y` is not a duration; write for example 90s, 5m, 2h or 1d"),
        ),
        ("workspace: acme", "workspace: acme\nmetrics_file: [a]", (2, "`metrics_file` must be a path")),
        ("workspace: acme", "workspace: acme\nnotify: {}", (2, "key `webhook` is missing")),
        (
            "workspace: acme",
            "workspace: acme\nnotify: {webhook: 'https://example.com/T0/B0/Xu8sYq2mPz91LkaVbN3'}",
            (2, "`webhook` must be a reference to a secret, not the secret itself"),
        ),
        (
            "{source: main, destinations: [sink]}",
            "{source: main, destinations: [sink], breaker: {rejected_share_max: 20}}",
            (10, "`rejected_share_max` must be at most 1.0"),
        ),
        (
            "{source: main, destinations: [sink]}",
            "{source: main, destinations: [sink], breaker: {rejected_min: 0}}",
            (10, "`rejected_min` must be at least 1"),
        ),
        (
            "{source: main, destinations: [sink]}",
            "{source: main, destinations: [sink], sync: {settle: soon}}",
            (10, "`soon` is not a duration; write for example 90s, 5m, 2h or 1d"),
        ),
        ("    type: shop", "    typ: shop", (3, "key `type` is missing")),
        ("    type: shop", "    type: [shop]", (4, "unknown source type `['shop']`")),
        ("project_key: my-shop", "project_key: 42", (5, "`project_key` must be text")),
        ("project_key: my-shop", "project_key: My Shop", (5, "`project_key` must match `^[a-z0-9-]+$`")),
        ("    project_key: my-shop\n", "", (3, "key `project_key` is missing")),
        ("project_key: my-shop", "project_key: a\n    region: nroth", (6, "`nroth` is not a region: use north or south")),
        ("project_key: my-shop", "project_key: a\n    page_size: 0", (6, "`page_size` must be at least 1")),
        ("project_key: my-shop", "project_key: a\n    page_size: 1.5", (6, "`page_size` must be a whole number")),
        ("project_key: my-shop", "project_key: a\n    page_size: many", (6, "`page_size` must be a whole number")),
        ("project_key: my-shop", "project_key: a\n    rate: 0", (6, "`rate` must be more than 0.0")),
        ("project_key: my-shop", "project_key: a\n    lookups: {codes: maybe}", (6, "`codes` must be true or false")),
        ("project_key: my-shop", "project_key: a\n    lookups: {code: true}", (6, "unknown key `code`")),
        ("project_key: my-shop", "project_key: a\n    lookups:", (6, "`lookups` must be a mapping")),
        (
            "project_key: my-shop",
            "project_key: a\n    tokens: [x]",
            (6, "`tokens[0]` must be a reference to a secret, not the secret itself"),
        ),
        (", region: eu", "", (8, "give `region` or `endpoint`")),
        ('{type: sink, write_key: "${SINK_KEY}", region: eu}', "sink", (8, "destination `sink` must be a mapping")),
        ("  daily: {", "  Daily Job: {", (10, "name `Daily Job` must be 1 to 64 of `a-z`, `0-9`, `_`, `-`")),
        ("destinations: [sink]", "destinations: []", (10, "`destinations` must not be empty")),
        ("destinations: [sink]", "destinations: sink", (10, "`destinations` must be a list")),
        ("destinations: [sink]", "destinations: [sink, sink]", (10, "destination `sink` is listed twice")),
        ("destinations: [sink]", "destinations: [snik]", (10, "unknown destination `snik`")),
        ("destinations: [sink]", "destinations: [sink], workers: 65", (10, "`workers` must be at most 64")),
        ("destinations: [sink]", "destinations: [sink], streams: []", (10, "`streams` must not be empty")),
        ("destinations: [sink]", "destinations: [sink], require_consent: [Ads]", (10, "unknown consent category `Ads`")),
        (
            "destinations: [sink]",
            "destinations: [sink], consent: {Ads: {field: a..b}}",
            (10, "`field` must be a path of names and dots, for example `custom.fields.marketingConsent`"),
        ),
        (
            "destinations: [sink]",
            "destinations: [sink], consent: {Ads: {field: a, granted: [[1]]}}",
            (10, "`granted[0]` must be true or false or a whole number or text"),
        ),
        (
            "destinations: [sink]",
            "destinations: [sink], identity: {user_id: email}",
            (10, "`user_id` must be one of `customer_id`, `email_sha256`"),
        ),
        (
            "destinations: [sink]",
            "destinations: [sink], ids: {Order Completed: same}",
            (10, "every `Order Completed` would have the same id"),
        ),
        (
            "destinations: [sink]",
            "destinations: [sink], ids: {A: '{entity_id}', B: '{entity_id}'}",
            (10, "`B` and `A` would share their ids"),
        ),
        (
            "destinations: [sink]",
            "destinations: [sink], ids: {A: '{entity_id'}",
            (10, "a brace in an id must open and close a field"),
        ),
        (
            "region: eu",
            "region: eu, require_consent: [Ads]",
            (10, "destination `sink` requires the consent `Ads`, which this pipeline does not read"),
        ),
        ("pipelines:\n  daily: {source: main, destinations: [sink]}\n", "", (1, "key `pipelines` is missing")),
        (
            "pipelines:\n  daily: {source: main, destinations: [sink]}\n",
            "pipelines: {}\n",
            (9, "`pipelines` must not be empty"),
        ),
        ("  daily: {source: main, destinations: [sink]}\n", "  daily:\n", (10, "`daily` must be a mapping")),
    ],
)
def test_a_mistake_is_told_once_at_its_line(tmp_path: Path, old: str, new: str, expected: tuple[int, str]) -> None:
    """One change to a good file gives one mistake, at the line where it was made."""
    (problem,) = problems_of(tmp_path, changed(old, new))

    assert (problem.line, problem.message) == expected


def test_what_was_written_is_shown(tmp_path: Path) -> None:
    """A value that helps to see the mistake stands beside it, with the path that leads there."""
    (problem,) = problems_of(tmp_path, changed("project_key: my-shop", "project_key: a\n    page_size: 5000"))

    assert (problem.column, problem.path, problem.value_text) == (16, "sources.main.page_size", "5000")


SECRET_PLACES = [
    ("${SHOP_SECRET}", CANARY),
    ("${SHOP_SECRET}", f"{CANARY} and more"),
    ("project_key: my-shop", f"project_key: {CANARY}"),
    ("project_key: my-shop", f"project_key: https://user:{CANARY}@host/"),
    ("project_key: my-shop", f"project_key: a\n    region: {CANARY}"),
    ("project_key: my-shop", f"project_key: a\n    client_secert: {CANARY}"),
    ("project_key: my-shop", f"project_key: a\n    tokens: [{CANARY}]"),
    ("project_key: my-shop", f"project_key: a\n    tokens: {CANARY}"),
    ("project_key: my-shop", f"project_key: a\n    page_size: {CANARY}"),
    ("    type: shop", f"    type: {CANARY}"),
    ("source: main", f"source: {CANARY}"),
    ("destinations: [sink]", f"destinations: [{CANARY}]"),
    ("workspace: acme", f"workspace: {CANARY}"),
    ("workspace: acme", f"workspace: acme\nstate: [{CANARY}]"),
    ("region: eu", f"region: {CANARY}"),
    ("region: eu", "region: ${PLANTED}"),
    ("workspace: acme", f"workspace: acme\n{CANARY}: x"),
    ("workspace: acme", f"workspace: acme\n{CANARY}"),
    ("${SHOP_SECRET}", f"*{CANARY}"),
    ("${SHOP_SECRET}", f"!{CANARY} x"),
    ("  daily:", f"  {CANARY}:"),
    ("project_key: my-shop", "project_key: ${PLANTED}"),
    ("project_key: my-shop", "project_key: a\n    region: ${PLANTED}"),
    ("project_key: my-shop", "project_key: a\n    page_size: ${PLANTED}"),
    ("workspace: acme", "workspace: ${PLANTED}"),
    ("source: main", "source: ${PLANTED}"),
    ("destinations: [sink]", "destinations: [sink], ids: {A: '${PLANTED}'}"),
]


@pytest.mark.parametrize(("old", "new"), SECRET_PLACES)
def test_a_secret_in_the_wrong_place_is_never_shown(tmp_path: Path, old: str, new: str) -> None:
    """Whatever field a secret was written into, literally or by a variable, no message, hint, value or path holds it."""
    problems = problems_of(tmp_path, changed(old, new), PLANTED=CANARY)

    assert problems
    assert CANARY not in repr(problems)


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        "0123456789abcdef0123456789abcdef",
        "3f2b8c1e-9a77-4d10-8e55-6b1f0c2d9e4a",
        "https://user:password@example.com/",
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123",
        "postgres://host/db?password=Zx81kQp09LmN34rT",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    ],
)
def test_credentials_are_recognised(text: str) -> None:
    """Keys, tokens and URLs with a password look like credentials."""
    assert looks_like_credential(text)


@pytest.mark.parametrize(
    "text",
    [
        "europe-west1.gcp",
        "australia-southeast1.gcp",
        "${SEGMENT_WRITE_KEY}",
        "custom.fields.marketingConsent",
        "customer_id",
        "my_shop_2024",
        "order.completed",
        "a sentence of ordinary words",
        "2024-01-31",
        "",
    ],
)
def test_ordinary_values_are_not_taken_for_credentials(text: str) -> None:
    """Names of regions, fields and the like are shown."""
    assert not looks_like_credential(text)


def test_values_are_shown_short_and_on_one_line() -> None:
    """A long or many-line text is cut; a container is not shown at all."""
    assert show_value("a\nb " + "word " * 40) == ("a b " + "word " * 40)[:57] + "..."
    assert (show_value(True), show_value(1.5), show_value([1]), show_value(None)) == ("true", "1.5", None, None)


def test_suggestions_ignore_case_and_need_likeness() -> None:
    """A near word is found whatever its case; a far one is not."""
    assert nearest("Orders", ["orders", "customers"]) == "orders"
    assert nearest("xyz", ["orders", "customers"]) is None


def test_the_good_file_is_good() -> None:
    """The file that the tests change is what they think it is: ten lines."""
    assert len(GOOD.splitlines()) == 10
