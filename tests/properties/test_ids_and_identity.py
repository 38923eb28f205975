"""Event ids and identities: the same for the same record for ever, different for different ones."""

from __future__ import annotations

import unicodedata

from hypothesis import assume, given
from hypothesis import strategies as st

from cdi_cli.commerce import Customer
from cdi_cli.events import IdentitySettings, IdFormat, event_id, key_of
from cdi_cli.events.identity import email_sha256, guest_id, identity_of, normalize_email
from cdi_cli.events.ids import ID_CHARACTERS_MAX

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=150)
FORM = IdFormat("acme", "shop")


@given(TEXT, TEXT)
def test_an_id_has_at_most_99_characters(entity_id: str, discriminator: str) -> None:
    """However long the platform's ids are, Segment's limit holds."""
    identifier = event_id(FORM, family="order", entity_id=entity_id, event="Order Refunded", discriminator=discriminator)

    assert 0 < len(identifier) <= ID_CHARACTERS_MAX


@given(TEXT, TEXT, TEXT, TEXT)
def test_different_entities_have_different_ids(first: str, other: str, one: str, two: str) -> None:
    """Entity and discriminator both tell ids apart, also where ids are shortened."""
    assume((first, one) != (other, two) and ":" not in first + other)

    ids = {
        event_id(FORM, family="order", entity_id=entity, event="Order Refunded", discriminator=part)
        for entity, part in ((first, one), (other, two))
    }

    assert len(ids) == 2


def test_ids_never_change() -> None:
    """These ids were written to customers' workspaces: a change here doubles their history."""
    assert (
        event_id(FORM, family="order", entity_id="7c-1", event="Order Completed", discriminator="")
        == "cdi:acme:shop:order:7c-1:order-completed"
    )
    assert (
        event_id(FORM, family="order", entity_id="x" * 90, event="Order Refunded", discriminator="r" * 40)
        == "cdi:acme:shop:order:" + "x" * 46 + "~a19864c7960489439e16e85dd422275a"
    )
    assert (
        event_id(FORM, family="order", entity_id="x" * 36, event="Order Refunded", discriminator="r" * 36)
        == "cdi:acme:shop:order:" + "x" * 36 + ":order-refunded:~2e04cb69124b71b4489f11093e"
    )
    assert key_of("cdi:acme:shop:order:7c-1:order-completed").hex() == "4b00f65524b2417218c9d90dea99072c"


def test_an_own_form_can_match_the_storefront() -> None:
    """A configured form yields the id that the shop's own client sends for the same order."""
    form = IdFormat("acme", "shop", {"Order Completed": "{entity_number}-order-completed"})

    identifier = event_id(
        form, family="order", entity_id="7c-1", event="Order Completed", discriminator="", entity_number="1001"
    )

    assert identifier == "1001-order-completed"


@given(st.text(max_size=40))
def test_normalising_an_email_twice_changes_nothing(email: str) -> None:
    """`email_v1` is idempotent, or the same guest would have two profiles."""
    assert normalize_email(normalize_email(email)) == normalize_email(email)


@given(st.emails())
def test_spellings_of_one_email_are_one_guest(email: str) -> None:
    """Case, spaces, zero-width characters and Unicode form do not make another person."""
    spelled = f"  {unicodedata.normalize('NFD', email.upper())}\u200b "

    assert guest_id(spelled) == guest_id(email.upper())


def test_an_empty_email_is_nobody() -> None:
    """The hash of an empty e-mail would join all strangers into one profile."""
    assert email_sha256(" \u200b ") is None
    assert guest_id("") is None


def test_a_known_email_hash() -> None:
    """The golden vector of `email_v1`: the SHA-256 of `jo@example.com`."""
    from hashlib import sha256

    assert email_sha256(" Jo@Example.com ") == sha256(b"jo@example.com").hexdigest()


def test_a_customer_is_known_by_its_id() -> None:
    """By default the userId is the platform's customer id, never the e-mail."""
    now = "2026-01-01T00:00:00.000Z"
    customer = Customer(id="c-1", version=1, created_at=now, updated_at=now, email="jo@example.com")  # type: ignore[arg-type]

    assert identity_of(customer, IdentitySettings()) == ("c-1", None)
    assert identity_of(customer, IdentitySettings(user_id="email_sha256"))[0] == email_sha256("jo@example.com")
