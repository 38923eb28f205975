"""`contacts:` of a destination from end to end: nothing sent, written or previewed holds an address in the clear."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import canary
import pytest
from cli_project import WHOLE, CliProject

from cdi_cli.sandbox import SandboxThread

CONTACTS = "contacts: {email: sha256, phone: omit}"
ARCHIVE = f"""\
destinations:
  archive:
    type: file
    folder: out
    {CONTACTS}
"""
PUSHED: dict[str, Any] = {
    "type": "identify",
    "messageId": "m-1",
    "timestamp": "2026-01-31T12:00:00Z",
    "userId": "u-1",
    "traits": {"email": "Pushed@Example.com", "phone": "+4930123456", "createdAt": "2026-01-31T12:00:00Z"},
}


class TwoProject(CliProject):
    """A project that feeds Segment and files, both with hashed addresses and without numbers."""

    def write_settings(self) -> None:
        """Write `cdi.yaml` with files beside Segment."""
        super().write_settings()
        text = self.settings.read_text(encoding="utf-8").replace("destinations:\n", ARCHIVE, 1)
        self.settings.write_text(
            text.replace("destinations: [segment]", "destinations: [segment, archive]"), encoding="utf-8"
        )

    def lines(self) -> list[dict[str, Any]]:
        """Everything that was written."""
        files = sorted((self.place / "out").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoProject]:
    """A project after a backfill to both."""
    folder = tmp_path_factory.mktemp("contacts")
    with SandboxThread(canary.options(orders=40)) as sandbox, TwoProject(folder, sandbox, destination=CONTACTS) as made:
        for name in ("segment", "archive"):
            assert made.run("backfill", *WHOLE, "--destination", name).code in (0, 1)
        yield made
        # Names are written, and shown to who asks for them: that is not what the search at the end is for.
        shutil.rmtree(made.place / "out")
        made.runs.clear()


def addresses(project: TwoProject) -> set[str]:
    """Every e-mail address of the shop, in lower case."""
    kinds = {"customers": "email", "orders": "customerEmail", "carts": "customerEmail"}
    found = {one.get(field) for kind, field in kinds.items() for one in project.sandbox.shop.documents(kind)}
    return {each.strip().lower() for each in found if each}


def hashed(email: str) -> str:
    """What stands in its place."""
    return sha256(email.strip().lower().encode()).hexdigest()


def test_no_address_goes_out_in_the_clear(project: TwoProject) -> None:
    """Neither to Segment nor into files, in no part of any message; its hash stands in its place."""
    known = addresses(project) | {PUSHED["traits"]["email"].lower()}
    sent = list(project.sandbox.segment.applied)

    assert len(known) > 10
    for messages in (sent, project.lines()):
        text = json.dumps(messages).lower()
        profiles = [one["traits"]["email"] for one in messages if one["type"] == "identify" and "email" in one["traits"]]
        guests = [one["context"]["traits"]["email"] for one in messages if "email" in one["context"].get("traits", {})]
        assert [each for each in known if each in text] == []
        assert profiles
        assert guests
        assert {*profiles, *guests} <= {hashed(each) for each in known}
        assert not any("phone" in one.get("traits", {}) for one in messages)


@pytest.mark.parametrize("destination", ["segment", "archive"])
def test_a_preview_shows_them_as_they_would_be_sent(project: TwoProject, destination: str) -> None:
    """Also where personal data is asked for; and says what made them so."""
    customer = next(one for one in project.sandbox.shop.documents("customers") if one["email"].strip())
    asked = ("preview", "customer", customer["id"], "--destination", destination, "--show-data")

    bodies = project.run(*asked, "--body").out
    text = project.run(*asked, "--full").out
    (seen,) = project.run(*asked, "--json").json()

    requests = [request for event in seen["events"] for request in event["requests"]]
    for shown in (bodies, json.dumps(requests), text.partition("\nEvents\n")[2]):
        assert customer["email"].strip().lower() not in shown.lower()
        assert hashed(customer["email"]) in shown
    assert "customer.email, by `contacts`" in text
    made_of = {each["path"].rpartition(".")[2]: each["made_of"] for each in requests[0]["fields"]}
    assert made_of["email"] == [{"value": "email", "from": "customer.email, by `contacts`"}]
    assert "contacts" not in json.dumps(made_of["firstName"])


def test_pushed_events_are_no_exception(project: TwoProject) -> None:
    """Whoever made them."""
    (project.place / "events.jsonl").write_text(json.dumps(PUSHED) + "\n", encoding="utf-8")
    run = project.run("push", "events.jsonl")

    assert run.code == 0, run.err
    sent = [one for one in project.sandbox.segment.applied if one["messageId"] == "m-1"]
    for messages in (sent, [line for line in project.lines() if line["messageId"] == "m-1"]):
        assert [each["traits"] for each in messages] == [
            {"email": hashed("pushed@example.com"), "createdAt": "2026-01-31T12:00:00Z"}
        ]


def test_the_list_of_withheld_events_names_nobody(project: TwoProject) -> None:
    """No address, whether the destination takes it or not."""
    text = project.settings.read_text(encoding="utf-8")
    strict = text.replace("    consent:", "    require_consent: [Advertising]\n    consent:")
    (project.place / "strict.yaml").write_text(f"state: strict.db\n{strict}", encoding="utf-8")
    listed = project.place / "withheld.jsonl"
    options = ("--config", "strict.yaml", "--dry-run", "--withheld", str(listed), "--destination", "archive")
    run = project.run("backfill", *WHOLE, *options)

    assert run.code in (0, 1), run.err
    shown = listed.read_text(encoding="utf-8").lower()
    assert shown
    assert [each for each in addresses(project) if each in shown] == []
