"""What is particular to the simulated Elastic Path: credentials, and the switches of what differs between stores."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticPathOptions:
    """Credentials that it accepts, and how it behaves; all fields but the credentials can be switched while it runs.

    `new_filters`: whether quoted operands are understood, with whole timestamps; off, they are a 400. `sorts`: whether
    `sort` is heeded; off, every list comes in its default order. `pages`: whether `page[offset]` is heeded; off, every page
    is the first. `error_object`: the 401 body holds `errors` as an object instead of a list. `refund_moves`: whether a
    partial refund moves the order's `updated_at`. `wrong_next`: the product list leaves out `links.next` on the page before
    the last, too. `requests_per_second`: the rate limit, 25 in a development store (None: none). `token_seconds`: life of an
    access token.
    """

    client_id: str = "sandbox-ep-client"
    client_secret: str = "sandbox-ep-secret"  # noqa: S105 - opens nothing but this simulator
    token_seconds: int = 3600
    new_filters: bool = True
    sorts: bool = True
    pages: bool = True
    error_object: bool = False
    refund_moves: bool = True
    wrong_next: bool = True
    requests_per_second: int | None = None


ELASTICPATH_SECRET_VARIABLE = "CDI_SANDBOX_ELASTICPATH_SECRET"  # noqa: S105 - a name, not a value
"""The environment variable that the settings text expects the application key's secret in."""
