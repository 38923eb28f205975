"""What of a record is never kept nor mapped: secrets, payment data, tax numbers and dates of birth.

`protect_code` opens a guest's order to whoever knows it; `additional_information` and `payment_additional_info` are
whatever a payment module put there.
"""

from __future__ import annotations

DENIED_FIELDS = frozenset(
    {
        "password",
        "password_hash",
        "rp_token",
        "rp_token_created_at",
        "confirmation",
        "protect_code",
        "additional_information",
        "additional_data",
        "payment_additional_info",
        "vault_payment_token",
        "public_hash",
        "gateway_token",
        "account_status",
        "last_trans_id",
        "cc_approval",
        "cc_avs_status",
        "cc_cid_enc",
        "cc_cid_status",
        "cc_debug_request_body",
        "cc_debug_response_body",
        "cc_debug_response_serialized",
        "cc_exp_month",
        "cc_exp_year",
        "cc_last4",
        "cc_number_enc",
        "cc_owner",
        "cc_secure_verify",
        "cc_ss_issue",
        "cc_ss_start_month",
        "cc_ss_start_year",
        "cc_status",
        "cc_status_description",
        "cc_trans_id",
        "cc_type",
        "echeck_account_name",
        "echeck_account_type",
        "echeck_bank_name",
        "echeck_routing_number",
        "echeck_type",
        "dob",
        "customer_dob",
        "taxvat",
        "customer_taxvat",
        "vat_id",
    }
)
"""Names of record fields that are never kept, whatever they are in."""
