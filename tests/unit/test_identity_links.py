"""Known and anonymous ids: a profile that names the guest who had ordered under its e-mail address."""

from __future__ import annotations

from typing import Literal

import pytest
from doubles import order

from cdi_cli.commerce import Customer
from cdi_cli.events import IdentitySettings
from cdi_cli.events.identity import email_sha256, guest_id, identity_of

AT = order(0).created_at
EMAIL = "jane@example.com"
GUEST = guest_id(EMAIL)


def customer(*, is_verified: bool | None, anonymous_id: str | None = None, email: str | None = EMAIL) -> Customer:
    """A customer with this address."""
    return Customer("c1", 1, AT, AT, email=email, is_email_verified=is_verified, anonymous_id=anonymous_id)


@pytest.mark.parametrize(
    ("link", "is_verified", "is_linked"),
    [
        ("never", True, False),
        ("verified", True, True),
        ("verified", False, False),
        ("verified", None, False),
        ("always", None, True),
    ],
)
def test_whose_profile_names_its_guest(
    link: Literal["never", "verified", "always"], is_verified: bool | None, is_linked: bool
) -> None:
    """Nobody's, that of a verified address (a claim to somebody's address joins nothing), or everybody's."""
    found = identity_of(customer(is_verified=is_verified), IdentitySettings(link_guests=link))

    assert found == ("c1", GUEST if is_linked else None)


def test_it_is_the_id_that_the_guest_s_orders_carried() -> None:
    """The same however the address was written, so that the two meet."""
    settings = IdentitySettings()

    (_, guest) = identity_of(order(1, customer_id=None, email=" Jane@Example.com"), settings)

    assert identity_of(customer(is_verified=True), settings) == ("c1", guest)


def test_only_profiles_name_the_guest() -> None:
    """An order has the session's id or none; a profile with a session's id keeps that; without an address no guest."""
    settings = IdentitySettings(link_guests="always")

    assert identity_of(order(1, customer_id="c1", email=EMAIL), settings) == ("c1", None)
    assert identity_of(order(1, customer_id="c1", anonymous_id="s", email=EMAIL), settings) == ("c1", "s")
    assert identity_of(customer(is_verified=True, anonymous_id="s"), settings) == ("c1", "s")
    assert identity_of(customer(is_verified=True, email=" "), settings) == ("c1", None)


def test_other_policies_link_too() -> None:
    """Guests known by e-mail only, and users known by its hash."""
    settings = IdentitySettings(user_id="email_sha256", guest_id="email", link_guests="always")

    assert identity_of(customer(is_verified=None), settings) == (email_sha256(EMAIL), GUEST)
