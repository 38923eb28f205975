"""The shop, a project that delivers it to the three destinations, and the real command run in it.

Everything is served over loopback. A quiet run is a fresh interpreter; a run that is killed is a child of the `life.zygote`,
whose retries and pauses do not wait. Time stands still but for what `advance` adds and the real seconds that pass.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from life.client import Ended, Zygote

from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread, spec_of
from proof.picture import CATEGORIES, Picture
from proof.readers import of_insider, of_mparticle, of_segment
from proof.shop import READ, Truth, truth_of

NAMES = ("segment", "mparticle", "insider")
SINCE = ("--since", "2020-01-01T00:00:00Z")
SECONDS_MAX = 900
SETTINGS = """\
workspace: proof
sources:
  shop:
    type: commercetools
    project_key: sandbox
    api_url: {url}/commercetools/api
    auth_url: {url}/commercetools/auth
    client_id: sandbox-client
    client_secret: "${{CDI_SANDBOX_SECRET}}"
    locales: [en, de]
    product_url_template: https://shop.example/p/{{slug}}
    page_size: {page}
destinations:
  segment:
    type: segment
    endpoint: {url}/segment
    write_key: "${{CDI_SANDBOX_WRITE_KEY}}"
    batch_events: {batch}
    events_per_second: 1000000
  mparticle:
    type: mparticle
    endpoint: {url}/mparticle
    key: sandbox-mparticle-key
    secret: "${{CDI_SANDBOX_MPARTICLE_SECRET}}"
    environment: production
    batch_events: {batch}
    events_per_second: 1000000
    ramp_up_seconds: 0
    consent: {{Advertising: {{gdpr: advertising}}, Analytics: {{gdpr: analytics}}}}
{mparticle}
  insider:
    type: insider
    partner_name: sandbox
    endpoint: {url}/insider
    catalog_endpoint: {url}/insider
    request_token: "${{CDI_SANDBOX_INSIDER_TOKEN}}"
    catalog_token: "${{CDI_SANDBOX_INSIDER_CATALOG_TOKEN}}"
    locales: [en_US, de_DE]
    batch_events: {batch}
    in_flight: {insider_in_flight}
    events_per_second: 1000000
    consent: {{Advertising: [email_optin, sms_optin], Analytics: whatsapp_optin}}
{insider}
pipelines:
  main:
    source: shop
    destinations: [segment, mparticle, insider]
    streams: [deletions, customers, carts, orders, payments, products, product_deletions]
    sync: {{settle: 60s, overlap: 300s}}
    consent:
      Advertising: {{field: custom.fields.marketingConsent}}
      Analytics: {{field: custom.fields.analyticsConsent}}
"""


@dataclass
class Project:
    """See the module. `began`: when the first run was started, by the shop's clock."""

    folder: Path
    sandbox: SandboxThread
    zygote: Zygote
    rng: random.Random
    environment: dict[str, str]
    began: datetime
    counts: Counter[str] = field(default_factory=Counter)

    def write_settings(
        self, *, batch: int, page: int, required: dict[str, str] | None = None, insider_in_flight: int = 4
    ) -> None:
        """Write `cdi.yaml`; `required`: the consent that a destination asks for."""
        lines = {name: f"    require_consent: [{category}]" for name, category in (required or {}).items()}
        values: dict[str, Any] = {
            "mparticle": "",
            "insider": "",
            "url": self.sandbox.url,
            "batch": batch,
            "page": page,
        } | lines
        values["insider_in_flight"] = insider_in_flight
        (self.folder / "cdi.yaml").write_text(SETTINGS.format(**values), encoding="utf-8")

    @property
    def now(self) -> datetime:
        """The shop's clock."""
        return self.sandbox.clock.now()

    def advance(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self.sandbox.clock.advance(seconds)

    def quiet(self, *arguments: str) -> Any:
        """A run that nothing disturbs, as a person starts it; returns what it says in JSON, having ended with 0 or 1."""
        command = (sys.executable, "-m", "cdi_cli", *arguments, "--json")
        ended = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
        assert ended.returncode in (0, 1), (arguments, ended.returncode, ended.stderr)
        return json.loads(ended.stdout)

    def run(self, *arguments: str, kill_at: int | None = None) -> Ended:
        """A run that may be killed."""
        offset = (self.now - datetime.now(UTC)).total_seconds()
        ended = self.zygote.run(*arguments, offset_seconds=offset, kill_at=kill_at)
        assert ended.code in (-9, 0, 1, 3), (ended.arguments, ended.code, ended.err)
        assert "Traceback" not in ended.err, ended.err
        self.counts["runs"] += 1
        self.counts["kills"] += ended.was_killed
        self.counts["stopped"] += ended.code == 3
        return ended

    def truth(self, before: Truth | None = None) -> Truth:
        """What the shop's records say now."""
        return truth_of({kind: self.sandbox.shop.documents(kind) for kind in READ}, before)

    def held(self) -> dict[str, Picture]:
        """What strangers conclude from what each destination holds."""
        sandbox = self.sandbox
        return {
            "segment": of_segment(sandbox.segment.applied),
            "mparticle": of_mparticle([entry.batch for entry in sandbox.mparticle.applied]),
            "insider": of_insider(sandbox.insider.profiles, sandbox.insider_catalog.items.values()),
        }

    def lost_on_arrival(self) -> dict[str, Counter[str]]:
        """What each destination threw away behind a good answer, by code."""
        sandbox = self.sandbox
        return {
            "segment": Counter(code for code, _ in sandbox.segment.dropped),
            "mparticle": Counter([entry.code for entry in sandbox.mparticle.dropped] + sandbox.mparticle.truncated),
            "insider": Counter(f"{entry.code} {entry.name}".strip() for entry in sandbox.insider.dropped),
        }

    def recognised(self) -> dict[str, int]:
        """How many repeats each destination recognised as such; Insider cannot."""
        return {
            "segment": len(self.sandbox.segment.duplicates),
            "mparticle": len(self.sandbox.mparticle.duplicates),
            "insider": 0,
        }

    def requests(self) -> dict[str, int]:
        """How many requests brought each destination something."""
        sandbox = self.sandbox
        return {
            "segment": sum(request.message_count > 0 for request in sandbox.segment.requests),
            "mparticle": sum(request.batch_count > 0 for request in sandbox.mparticle.requests),
            "insider": len(sandbox.insider.requests) + len(sandbox.insider_catalog.requests),
        }

    def letters(self, *, in_doubt: bool = False) -> list[dict[str, Any]]:
        """The dead letters, or those in doubt alone, as the documented command lists them."""
        more = ("--in-doubt",) if in_doubt else ()
        ended = self.run("dlq", "list", "--json", "--limit", "1000000", *more)
        found: list[dict[str, Any]] = ended.json()
        return found

    def settle_doubts(self, truth: Truth) -> tuple[int, int]:
        """Look each event in doubt up at Insider, and decide by the documented commands; how many had arrived, and not.

        A profile has arrived when the person is known as they are.
        """
        held, people = self.held()["insider"], truth.picture.profiles
        ids = {
            event["event_params"].get("c_cdi_event_id")
            for profile in self.sandbox.insider.profiles
            for event in profile.events
        }
        ids |= {
            f"identify {one}" for one, said in held.profiles.items() if people.get(one) == said and told(one, held, truth)
        }
        there: list[str] = []
        absent: list[str] = []
        for letter in self.letters(in_doubt=True):
            name = f"identify {letter['entity_id']}" if letter["event"] == "identify" else letter["event_id"]
            (there if name in ids else absent).append(str(letter["id"]))
        if there:
            assert self.run("dlq", "settle", *there, "--yes").code == 0
        if absent:
            assert self.run("dlq", "replay", *absent, "--yes").code == 0
        assert self.letters(in_doubt=True) == []
        return len(there), len(absent)


def told(customer: str, held: Picture, truth: Truth) -> bool:
    """Whether what is held of a customer's consents is what they said."""
    return all(held.consents.get((customer, one)) == truth.said.get((customer, one)) for one in CATEGORIES)


@contextmanager
def project(folder: Path, *, orders: int, seed: int) -> Iterator[Project]:
    """A shop of two years and an empty account at each destination."""
    place = folder / "place"
    place.mkdir(parents=True)
    options = SandboxOptions(orders=orders, seed=seed, messages=True)
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment |= {"HOME": str(folder), "TERM": "dumb"}
    for name in ("commercetools", *NAMES):
        environment |= spec_of(name).environment(options)
    with ExitStack() as stack:
        sandbox = stack.enter_context(SandboxThread(options))
        zygote = stack.enter_context(Zygote(place, folder / "outputs", environment))
        yield Project(place, sandbox, zygote, random.Random(seed), environment, sandbox.clock.now())


def passing_faults(made: Project, name: str, count: int) -> list[Fault]:
    """Put faults in force that a run survives, or ends at with the others kept: refusals, outages, lost answers."""
    places = {"segment": "/segment/", "mparticle": "/mparticle/", "insider": "/insider/api/user/v1/upsert"}
    kinds: list[dict[str, Any]] = [
        {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 400},
        {"kind": "reset_before_body"},
        {"kind": "reset_after_apply"},
        {"kind": "reset_mid_body"},
        {"kind": "truncate"},
    ]
    if name == "insider":
        kinds += [
            {"kind": "status", "status": 504, "times": 2},
            {"kind": "status", "status": 200, "body": {"data": {"successful": {}, "fail": {}}}},
            {"kind": "status", "status": 429, "match": "/insider/v2/"},
            {"kind": "reset_after_apply", "match": "/insider/v2/"},
            {"kind": "status", "status": 500, "match": "/insider/api/user/v1/profile"},
        ]
    faults = []
    for _ in range(count):
        chosen: dict[str, Any] = {"match": places[name], "times": made.rng.randint(1, 2)} | made.rng.choice(kinds)
        faults.append(made.sandbox.faults.add(Fault(**chosen, skip=made.rng.randint(0, 4))))
    return faults


def doubling_faults(made: Project) -> list[Fault]:
    """Lost answers to a batch of Insider's and to its repeat, twice: once it had arrived at last, once it had not."""
    lost: list[dict[str, Any]] = [
        {"kind": "status", "status": 504, "skip": 4},
        {"kind": "reset_after_apply", "skip": 4},
        {"kind": "status", "status": 504, "skip": 6, "times": 2},
    ]
    return [made.sandbox.faults.add(Fault(match="/insider/api/user/v1/upsert", **one)) for one in lost]
