"""Accounts (companies that buy) and their members (people who log in); one person may be a member of two companies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.elasticpath.money import MARKETS, Document
from cdi_cli.sandbox.elasticpath.people import name_of, uuid_of, whole_name
from cdi_cli.sandbox.elasticpath.times import DAY_MS, instant_of
from cdi_cli.sandbox.seed.customers import email_of
from cdi_cli.sandbox.seed.dice import Dice


def _stamps(created: int, updated: int) -> Document:
    """Milliseconds always, as this service writes them."""
    return {"timestamps": {"created_at": instant_of(created), "updated_at": instant_of(updated)}}


@dataclass(frozen=True, slots=True)
class Account:
    """A company."""

    id: str
    created: int
    updated: int
    name: str
    legal_name: str
    registration_id: str
    country: str
    external_ref: str = ""
    parent_id: str = ""

    def field(self, name: str) -> Any:
        """Texts that filters know."""
        return getattr(self, name, None) or None

    def document(self) -> Document:
        """The account as `/v2/accounts` lists it."""
        document: Document = {
            "id": self.id,
            "type": "account",
            "name": self.name,
            "legal_name": self.legal_name,
            "registration_id": self.registration_id,
            "external_ref": self.external_ref,
            "meta": _stamps(self.created, self.updated),
            "relationships": {"ancestors": None, "parent": {"data": {"id": self.parent_id, "type": "account"}}},
            "links": {"self": f"/v2/accounts/{self.id}"},
        }
        if not self.parent_id:
            document["relationships"] = {}
        return document


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may buy for an account, or for several."""

    id: str
    created: int
    updated: int
    name: str
    email: str
    account_ids: tuple[str, ...]

    def field(self, name: str) -> Any:
        """`name` and `email`."""
        return getattr(self, name, None)

    def document(self) -> Document:
        """The member as `/v2/account-members` lists them: nothing about accounts."""
        return {
            "id": self.id,
            "type": "account_member",
            "name": self.name,
            "email": self.email,
            "meta": _stamps(self.created, self.updated),
            "links": {"self": f"/v2/account-members/{self.id}"},
        }

    def memberships(self) -> list[Document]:
        """`/v2/account-members/{id}/account-memberships`."""
        return [
            {
                "id": uuid_of(self.id, account_id),
                "type": "account_membership",
                "account_member_id": self.id,
                "meta": _stamps(self.created, self.created),
                "relationships": {
                    "account": {"data": {"id": account_id, "type": "account"}},
                    "account_member": {"data": {"id": self.id, "type": "account_member"}},
                },
            }
            for account_id in self.account_ids
        ]


def build_account(dice: Dice, seed: int, number: int, created: int, now: int) -> Account:
    """A company that was entered at a time."""
    market = dice.weighted(MARKETS)
    _first, last = name_of(dice, market)
    name = f"{last or 'Solo'} {dice.pick(('Trading', 'Outfitters', '& Söhne', 'Works', '商会'))} {number}"
    return Account(
        id=uuid_of(seed, "account", number),
        created=created,
        updated=created if dice.chance(0.5) else min(now, created + dice.below(300 * DAY_MS)),
        name=name,
        legal_name=f"{name}, Ltd",
        registration_id=f"REG-{10_000 + number}",
        country=market.country,
        external_ref=f"erp-{number}" if dice.chance(0.4) else "",
    )


def build_member(dice: Dice, seed: int, number: int, accounts: list[Account], now: int) -> Member:
    """Somebody who was made a member after the account was entered."""
    account = accounts[number % len(accounts)]
    first, last = name_of(dice, dice.weighted(MARKETS))
    created = min(now, account.created + dice.below(30 * DAY_MS))
    account_ids: tuple[str, ...] = (account.id,)
    if dice.chance(0.1):
        account_ids += (dice.pick(accounts).id,)
    return Member(
        id=uuid_of(seed, "member", number),
        created=created,
        updated=created if dice.chance(0.6) else min(now, created + dice.below(300 * DAY_MS)),
        name=whole_name(first, last),
        email=email_of(dice, first, last, 10**7 + number),
        account_ids=tuple(dict.fromkeys(account_ids)),
    )
