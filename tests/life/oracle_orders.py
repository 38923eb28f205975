"""The oracle on orders: completed, updated, cancelled, fulfilled, refunded, and the money of all of it."""

from __future__ import annotations

from decimal import Decimal

from life.book import Document
from life.facts import (
    amount,
    deliveries_of,
    goods_of,
    goods_said,
    is_readable,
    is_shipped_as_a_whole,
    member_of,
    number_of,
    payment_ids,
    refunds_of,
    states_of,
    states_said,
    total_of,
)
from life.oracle import Case


def judge_orders(case: Case) -> None:
    """Every order of the book."""
    numbers = {number_of(states[-1]) for states in case.book.states["orders"].values()}
    for number in case.heard.updates.keys() - numbers:
        case.verdict.invented.append(f"Order Updated {number}: there is no such order")
    for states in case.book.states["orders"].values():
        readable = [state for state in states if is_readable(state)]
        if not readable:
            _unreadable(case, states[-1])
            continue
        is_news = states[-1]["createdAt"] >= case.terms.since
        must = not case.is_silent(states[-1]) and is_readable(states[-1])
        _completed(case, readable, must=must and is_news, may=is_news)
        _cancelled(case, readable, must=must, is_news=is_news)
        _fulfilled(case, readable, must=must, is_news=is_news)
        _refunded(case, readable[-1], must=must, is_news=is_news)


def judge_groups(case: Case) -> None:
    """Who orders for a business unit is its member: said once for each person and unit, whichever order tells of it."""
    told: dict[tuple[str, str], list[Document]] = {}
    for states in case.book.states["orders"].values():
        member = member_of(states[-1])
        if member is not None and any(is_readable(state) for state in states):
            told.setdefault(member, []).append(states[-1])
    for (person, unit), orders in told.items():
        owed = [
            order
            for order in orders
            if order["createdAt"] >= case.terms.since and is_readable(order) and not case.is_silent(order)
        ]
        must = bool(owed) and not any(case.is_in_letters(order["id"], "group") for order in owed)
        for message in case.expect(("group", person, unit), must=must, entity_id=orders[0]["id"]):
            if (message["traits"]["id"], message["traits"]["type"]) != (unit, "business_unit"):
                case.verdict.wrong.append(f"group {person} {unit}: {message['traits']}")


def _unreadable(case: Case, order: Document) -> None:
    is_news = order["createdAt"] >= case.terms.since
    if is_news and not case.is_silent(order) and not case.is_in_letters(order["id"], ""):
        case.verdict.lost.append(f"order {order['id']}: it cannot be read, and no dead letter says so")


def _completed(case: Case, states: list[Document], *, must: bool, may: bool) -> None:
    last, number = states[-1], number_of(states[-1])
    at = last.get("completedAt") or last["createdAt"]
    found = case.expect(("Order Completed", number, ""), must=must, may=may, entity_id=last["id"], at=at)
    updates = case.heard.updates.get(number, [])
    contents, fuller = {goods_of(state) for state in states}, {states_of(state) for state in states}
    owner = (last.get("customerId"), last.get("anonymousId"))
    for message in [*found, *updates]:
        if (message.get("userId"), message.get("anonymousId")) != owner and any(owner):
            case.verdict.wrong.append(f"{message['messageId']}: it is said of another person")
    if any(goods_said(message["properties"]) not in contents for message in found):
        case.verdict.wrong.append(f"Order Completed {number}: the order never was so")
    if updates and not found:
        case.verdict.invented.append(f"Order Updated {number}: its completion was never said")
    case.no_echo(updates, "properties")
    for message in updates:
        if states_said(message["properties"]) not in fuller:
            case.verdict.wrong.append(f"Order Updated {number}: the order never was so")
    if found:
        _last_said(case, last, found[-1], updates, must=must)


def _last_said(case: Case, order: Document, completed: Document, updates: list[Document], *, must: bool) -> None:
    number = number_of(order)
    if not must:
        return
    last = updates[-1]["properties"] if updates else completed["properties"]
    is_current = states_said(last) == states_of(order) if updates else goods_said(last) == goods_of(order)
    if not is_current and not case.is_in_letters(order["id"], "Order Updated"):
        case.verdict.stale.append(f"order {number}: last said {states_said(last)}, is {states_of(order)}")
    currency, total = total_of(order)
    verdict = case.verdict
    verdict.owed[currency] = verdict.owed.get(currency, Decimal(0)) + total
    verdict.said[currency] = verdict.said.get(currency, Decimal(0)) + Decimal(str(last["total"]))


def _cancelled(case: Case, states: list[Document], *, must: bool, is_news: bool) -> None:
    cancelled = [state for state in states if state["orderState"] == "Cancelled"]
    if not cancelled:
        return
    # The platform keeps no time of cancellation: an order that nobody was told of may have been cancelled long ago.
    key = ("Order Cancelled", number_of(states[-1]), "")
    case.expect(key, must=must and is_news, may=is_news, entity_id=states[-1]["id"])


def _fulfilled(case: Case, states: list[Document], *, must: bool, is_news: bool) -> None:
    last, number = states[-1], number_of(states[-1])
    deliveries = deliveries_of(last)
    whole = ("Order Fulfilled", number, "")
    said_whole = bool(case.heard.once.get(whole))
    if any(is_shipped_as_a_whole(state) for state in states):
        case.expect(whole, must=must and is_news and is_shipped_as_a_whole(last), may=is_news, entity_id=last["id"])
    for delivery_id, at in deliveries.items():
        is_due = is_news or at >= case.terms.origin
        case.expect(
            ("Order Fulfilled", number, delivery_id),
            must=must and is_due and not said_whole,
            may=is_due and not said_whole,
            entity_id=last["id"],
            at=at,
        )


def _refunded(case: Case, order: Document, *, must: bool, is_news: bool) -> None:
    payments = case.book.states["payments"]
    for payment_id in payment_ids(order):
        for refund in refunds_of(payments[payment_id][-1]).values() if payment_id in payments else ():
            is_due = is_news or refund["timestamp"] >= case.terms.origin
            found = case.expect(
                ("Order Refunded", number_of(order), refund["id"]),
                must=must and is_due,
                may=is_due,
                entity_id=order["id"],
                at=refund["timestamp"],
            )
            for message in found:
                if Decimal(str(message["properties"]["refund_amount"])) != amount(refund["amount"]):
                    case.verdict.wrong.append(f"Order Refunded {refund['id']}: the amount is another")
