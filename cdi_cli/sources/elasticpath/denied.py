"""What of a record is never kept nor mapped: secrets, and what points to a payment at the payment provider.

`client_parameters` and `payment_intent` of a transaction hold tokens of the provider; `secret_key` is the shared secret of a
webhook, which Elastic Path repeats inside each message (sheet "elasticpath", sections 3.3 and 3.6).
"""

from __future__ import annotations

DENIED_FIELDS = frozenset(
    {
        "password",
        "client_secret",
        "secret_key",
        "client_parameters",
        "payment_intent",
        "payment_intent_id",
        "payment_details",
        "payment_method_token",
        "payment_reference",
        "gateway_customer_id",
    }
)
"""Names of record fields that are never kept, whatever they are in."""
