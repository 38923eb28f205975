"""Effective settings are complete, can be read again, and hold no secret; the schema accepts what the program accepts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from config_connectors import GOOD, KNOWN, changed, load, write

from cdi_cli.config.document import read_document
from cdi_cli.config.load import load_settings
from cdi_cli.config.schema import json_schema
from cdi_cli.config.settings import Settings
from cdi_cli.config.show import secrets_of, show_json, show_yaml

CANARY = "canary-5f1c2e9a77b04d31"

FULL = changed(
    "workspace: acme",
    "workspace: acme\nplan: my plan\nlog: {file: cdi.log, level: debug}\nledger: {keep: 1825d}\n"
    "metrics_file: cdi.prom\nnotify: {webhook: 'file:hook'}",
    changed(
        "{source: main, destinations: [sink]}",
        "{source: main, destinations: [sink], consent: {'Ads: all': {field: a.b, granted: ['yes', 1]}}, "
        "require_consent: ['Ads: all'], lifecycle: {off: [order.updated]}, sync: {overlap: 5m, settle: 90}, "
        "breaker: {rejected_share_max: 0.5, rejected_min: 10}, ids: {Order Completed: '{entity_number}-x'}}",
        changed(
            "project_key: my-shop", "project_key: my-shop\n    tokens: ['${T1}', 'keyring:cdi/x']\n    region: ${WHERE}"
        ),
    ),
)


def test_defaults_are_filled_in_and_secrets_have_their_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The YAML shows every setting, and beside a reference whether it is set."""
    monkeypatch.setenv("SHOP_SECRET", CANARY)
    monkeypatch.delenv("SINK_KEY", raising=False)

    text = show_yaml(load(tmp_path, GOOD))

    assert text == (
        f"""\
workspace: acme
state: {tmp_path}/.cdi/state.db
ledger: {{}}
regions: {{}}
sources:
  main:
    type: shop
    project_key: my-shop
    client_secret: ${{SHOP_SECRET}}  # set
    tokens: []
    page_size: 500
    rate: 10.0
    lookups:
      codes: true
destinations:
  sink:
    type: sink
    write_key: ${{SINK_KEY}}  # NOT SET: environment variable SINK_KEY is not set
    region: eu
    require_consent: []
pipelines:
  daily:
    source: main
    destinations:
    - sink
    identity:
      user_id: customer_id
      guest_id: anonymous_id
      link_guests: verified
    consent: {{}}
    require_consent: []
    lifecycle:
      order_completed: placed
      checkout_started: cart
      customer_updated: updated
      'off': []
      groups:
      - business_unit
    ids: {{}}
    routing: []
    workers: 4
    sync: {{}}
    breaker:
      rejected_share_max: 0.2
      rejected_min: 100
"""
    )


@pytest.mark.parametrize("text", [GOOD, FULL, changed("region: eu", "region: eu, endpoint: 'a$${b}c'")])
def test_what_is_shown_can_be_read_again(tmp_path: Path, text: str) -> None:
    """Reading the shown YAML gives the same settings, as often as one likes."""
    first = load(tmp_path, text, WHERE="north")
    other = tmp_path / "other"
    other.mkdir()

    again = load_settings(write(other, show_yaml(first)), known=KNOWN, environment={})

    assert show_json(again) == show_json(first)
    assert isinstance(again, Settings)


def test_json_has_references_and_their_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is an object with its reference and whether it is set."""
    monkeypatch.setenv("SHOP_SECRET", CANARY)

    shown = show_json(load(tmp_path, GOOD))

    assert shown["sources"]["main"]["client_secret"] == {"reference": "${SHOP_SECRET}", "is_set": True}
    assert shown["destinations"]["sink"]["write_key"] == {"reference": "${SINK_KEY}", "is_set": False}


def test_a_secret_is_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the same variable was also used for an ordinary setting."""
    monkeypatch.setenv("SHOP_SECRET", CANARY)
    text = changed("region: eu", "region: eu, endpoint: 'https://${SHOP_SECRET}/'")

    settings = load(tmp_path, text, SHOP_SECRET=CANARY)

    assert CANARY not in show_yaml(settings)
    assert CANARY not in json.dumps(show_json(settings))
    assert CANARY not in repr(show_json(settings))


def test_every_secret_is_listed(tmp_path: Path) -> None:
    """All references are found, also inside lists, by their path."""
    settings = load(tmp_path, FULL, WHERE="north")

    assert {path: secret.text for path, secret in secrets_of(settings).items()} == {
        "sources.main.client_secret": "${SHOP_SECRET}",
        "sources.main.tokens[0]": "${T1}",
        "sources.main.tokens[1]": "keyring:cdi/x",
        "destinations.sink.write_key": "${SINK_KEY}",
        "notify.webhook": f"file:{tmp_path}/hook",
    }


def test_the_schema_is_a_schema_and_accepts_good_files(tmp_path: Path) -> None:
    """The printed schema is valid, and full settings pass it."""
    schema = json_schema(KNOWN)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    text = FULL.replace("${WHERE}", "north")
    for good in (GOOD, text, show_yaml(load(tmp_path, text))):
        load(tmp_path, good)
        assert [error.message for error in validator.iter_errors(read_document(write(tmp_path, good)).data)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("workspace: acme", "workspace: Acme"),
        ("workspace: acme", "workspace: acme\nfile: x"),
        ("workspace: acme", "workspaces: acme"),
        ("    type: shop", "    type: sink"),
        ("    type: shop", "    type: other"),
        ("project_key: my-shop", "projectkey: my-shop"),
        ("${SHOP_SECRET}", "secret"),
        ("region: eu", "region: mars"),
        ("destinations: [sink]", "destinations: []"),
        ("destinations: [sink]", "destinations: [sink], lifecycle: {off: [order.gone]}"),
        ("destinations: [sink]", "destinations: [sink], sync: {overlap: 5 minutes}"),
        ("destinations: [sink]", "destinations: [sink], sync: {settle: -5}"),
        ("destinations: [sink]", "destinations: [sink], breaker: {rejected_share_max: 20}"),
        ("workspace: acme", "workspace: acme\nnotify: {webhook: 'https://example.com/T0/B0'}"),
        ("  main:", "  Main Shop:"),
        ("project_key: my-shop", "project_key: my-shop\n    lookups: {code: true}"),
    ],
)
def test_the_schema_refuses_what_the_program_refuses(tmp_path: Path, old: str, new: str) -> None:
    """An editor marks these mistakes while they are typed."""
    validator = jsonschema.Draft202012Validator(json_schema(KNOWN))

    data = read_document(write(tmp_path, changed(old, new))).data

    assert not validator.is_valid(data)


def test_the_schema_has_descriptions_for_every_setting() -> None:
    """What a person needs to know stands in the schema, so that an editor can show it."""
    schema = json_schema(KNOWN)
    silent = [
        f"{owner}.{key}"
        for owner, definition in [("", schema), *schema["$defs"].items()]
        for key, field in definition.get("properties", {}).items()
        if "description" not in field
    ]

    assert silent == []
