"""Refunds: credit memos, in the order in which money went back (sheet "magento", section 3).

The amount is the memo's grand total, adjustments and returned shipping included: never the sum of its lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from cdi_cli.commerce import LineItem, Money, Refund, add
from cdi_cli.sources.magento.lines import parts_of
from cdi_cli.sources.magento.money import money
from cdi_cli.sources.magento.records import CreditMemo
from cdi_cli.sources.magento.search import instant_of

REFUNDED = 2
decode_memo = msgspec.json.Decoder(CreditMemo).decode
"""A raw credit memo; raises ValueError for one that cannot be read."""


def is_refund(memo: CreditMemo) -> bool:
    """Whether money went back by it: an open or cancelled memo, or one of nothing, moved none."""
    return memo.state in (REFUNDED, None) and memo.grand_total > 0


def refunds_of(memos: Sequence[CreditMemo], total: Money, lines: tuple[LineItem, ...]) -> tuple[Refund, ...]:
    """The refunds that the credit memos of an order are, oldest first; the one that reaches its total is full."""
    refunds: list[Refund] = []
    so_far = Money(0, total.currency, total.digits)
    found = sorted((instant_of(memo.created_at), memo.entity_id, memo) for memo in memos if is_refund(memo))
    for at, _, memo in found:
        amount = money(memo.grand_total, memo.order_currency_code)
        is_comparable = amount.currency == total.currency
        so_far = add(so_far, amount) if is_comparable else so_far
        refunds.append(
            Refund(
                id=str(memo.entity_id),
                amount=amount,
                at=at,
                is_full=is_comparable and so_far.decimal() >= total.decimal(),
                lines=parts_of(lines, _quantities(memo)),
            )
        )
    return tuple(refunds)


def _quantities(memo: CreditMemo) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for item in memo.items or ():
        key = str(item.order_item_id)
        found[key] = found.get(key, Decimal()) + (item.qty or Decimal())
    return found
