"""A project in a folder whose pipeline feeds the sandbox's mParticle, and what must have arrived there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from cli_project import CliProject
from mparticle_judge import violations
from shop_oracle import Totals, amount, number_of, order_totals, refund_transactions

from cdi_cli.sandbox import SandboxThread, cdi_yaml

SECRET_VARIABLE = "CDI_SANDBOX_MPARTICLE_SECRET"
_SECTION = """\
destinations:
  mparticle:
    type: mparticle
    endpoint: {url}/mparticle
    key: {key}
    secret: "${{{variable}}}"
    environment: production
    ramp_up_seconds: 0
    data_plan_id: commerce
    consent:
      Advertising: {{gdpr: marketing, ccpa: true}}
      Analytics: {{gdpr: analytics}}
{more}pipelines:
"""


class MparticleProject(CliProject):
    """See `cli_project.CliProject`; `destination` holds further lines of the mParticle destination."""

    def __init__(self, folder: Path, sandbox: SandboxThread, destination: str = "batch_events: 20", **fields: Any) -> None:
        super().__init__(folder, sandbox, destination=destination, **fields)
        self.environment[SECRET_VARIABLE] = sandbox.options.mparticle_secret

    def write_settings(self) -> None:
        """Write `cdi.yaml`, with mParticle in the place of Segment."""
        options = self.sandbox.options
        text = cdi_yaml(self.sandbox.url, options).replace("destinations: [segment]", "destinations: [mparticle]")
        before, _, rest = text.partition("destinations:\n  segment:")
        after = rest.partition("pipelines:\n")[2]
        more = "".join(f"    {line}\n" for line in self.destination.splitlines())
        section = _SECTION.format(url=self.sandbox.url, key=options.mparticle_key, variable=SECRET_VARIABLE, more=more)
        before = before.replace("    client_secret:", f"    {self.source}\n    client_secret:")
        self.settings.write_text(before + section + after, encoding="utf-8")


def batches(sandbox: SandboxThread) -> list[dict[str, Any]]:
    """What mParticle stored."""
    return [entry.batch for entry in sandbox.mparticle.applied]


def said(sandbox: SandboxThread, action: str) -> Totals:
    """What the commerce events of one action say, by currency."""
    totals: Totals = {}
    for data in _actions(sandbox, action):
        currency = data["currency_code"]
        totals[currency] = totals.get(currency, Decimal(0)) + Decimal(str(data["product_action"]["total_amount"]))
    return totals


def _actions(sandbox: SandboxThread, action: str) -> Iterable[dict[str, Any]]:
    for batch in batches(sandbox):
        for event in batch.get("events", []):
            if event["data"].get("product_action", {}).get("action") == action:
                yield event["data"]


def reconcile(sandbox: SandboxThread) -> None:
    """Assert that everything of the shop arrived once and valid, nothing was dropped or cut, and the money agrees."""
    orders = sandbox.shop.documents("orders")
    inbox = sandbox.mparticle
    assert ([entry.code for entry in inbox.dropped], inbox.truncated) == ([], [])
    assert [problem for batch in batches(sandbox) for problem in violations(batch)] == []
    ids = Counter(batch["source_request_id"] for batch in batches(sandbox))
    assert not [identifier for identifier, times in ids.items() if times > 1]
    purchases = Counter(data["product_action"]["transaction_id"] for data in _actions(sandbox, "purchase"))
    assert purchases == Counter(number_of(order) for order in orders)
    refunds = refund_transactions(sandbox, orders)
    assert Counter(data["custom_attributes"]["refund_id"] for data in _actions(sandbox, "refund")) == Counter(list(refunds))
    assert said(sandbox, "purchase") == order_totals(orders)
    refunded: Totals = {}
    for transaction in refunds.values():
        currency = transaction["amount"]["currencyCode"]
        refunded[currency] = refunded.get(currency, Decimal(0)) + amount(transaction["amount"])
    assert said(sandbox, "refund") == refunded
    profiles = Counter(batch["user_identities"]["customer_id"] for batch in batches(sandbox) if "events" not in batch)
    assert profiles == Counter(customer["id"] for customer in sandbox.shop.documents("customers"))
