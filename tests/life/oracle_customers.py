"""The oracle on people: their profiles, that they signed up, and that they began a checkout."""

from __future__ import annotations

from life.book import Document
from life.facts import has_begun_checkout, profile_of, profile_said
from life.oracle import Case


def judge_customers(case: Case) -> None:
    """Every customer of the book: signed up once, and known as they are now."""
    customers = case.book.states["customers"]
    for customer_id in case.heard.profiles.keys() - customers.keys():
        case.verdict.invented.append(f"identify {customer_id}: there is no such customer")
    for customer_id, states in customers.items():
        is_news = states[0]["createdAt"] >= case.terms.since
        must = not (customer_id in case.terms.forgotten or customer_id in case.book.gone)
        case.expect(("Signed Up", customer_id), must=must and is_news, may=is_news, entity_id=customer_id)
        is_touched = states[-1]["lastModifiedAt"] >= case.terms.origin
        _profile(case, customer_id, states, must=must and (is_news or is_touched))


def _profile(case: Case, customer_id: str, states: list[Document], *, must: bool) -> None:
    found = case.heard.profiles.get(customer_id, [])
    contents = {profile_of(state) for state in states}
    case.verdict.facts += 1
    case.no_echo(found, "traits")
    for message in found:
        if profile_said(message) not in contents:
            case.verdict.wrong.append(f"identify {message['messageId']}: the customer never was so")
    if not must:
        return
    if not found:
        if not case.is_in_letters(customer_id, "identify"):
            case.verdict.lost.append(f"identify {customer_id}")
    elif profile_said(found[-1]) != profile_of(states[-1]) and not case.is_in_letters(customer_id, "identify"):
        case.verdict.stale.append(
            f"customer {customer_id}: last said {profile_said(found[-1])}, is {profile_of(states[-1])}"
        )


def judge_carts(case: Case) -> None:
    """Every cart of the book: its checkout was begun once, if it was."""
    for cart_id, states in case.book.states["carts"].items():
        is_news = states[0]["createdAt"] >= case.terms.since
        has_begun = any(has_begun_checkout(state) for state in states)
        key = ("Checkout Started", cart_id)
        must = is_news and has_begun_checkout(states[-1]) and not case.is_silent(states[-1])
        case.expect(key, must=must, may=is_news and has_begun, entity_id=cart_id)
