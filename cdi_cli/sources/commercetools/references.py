"""Bounded, cached look-ups: what orders and carts only refer to by id is asked for once, a hundred ids at a time.

A target that does not exist (any more) is remembered too and has no name. Categories are few and form a tree, so they are
read whole, once. A look-up that is not permitted stops the run with the setting that switches it off: leaving out what was
asked for would not be noticed.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from cdi_cli.errors import RefusedError, TooLargeError
from cdi_cli.sources.commercetools.client import Ask, Client, SlowAnswerError
from cdi_cli.sources.commercetools.records import Names, Record, Reference
from cdi_cli.sources.commercetools.shop import Shop

T = TypeVar("T")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

IDS_PER_REQUEST = 100
"""About 4 KB of URL (sheet "commercetools", section 2)."""
ENTRIES_MAX = 50_000
LOOKUP_ROWS = 500
LOOKUP_PARAMS = (("sort", "id asc"), ("limit", str(LOOKUP_ROWS)), ("withTotal", "false"))
PATH_SEPARATOR = " > "


class _Code(Record):
    id: str
    code: str


class _Group(Record):
    id: str
    name: str


class _Filed(Record):
    id: str
    categories: tuple[Reference, ...] = ()


class _Category(Record):
    id: str
    name: Names
    parent: Reference | None = None


class _Codes(Record):
    results: tuple[_Code, ...]


class _Groups(Record):
    results: tuple[_Group, ...]


class _Filings(Record):
    results: tuple[_Filed, ...]


class _Categories(Record):
    results: tuple[_Category, ...]


Fetch = Callable[[Sequence[str]], Awaitable[dict[str, str]]]


class ReferenceCache:
    """Names by id, fetched in batches; holds at most `entries_max` of them, the least recently used go first."""

    def __init__(self, fetch: Fetch, entries_max: int = ENTRIES_MAX) -> None:
        self._fetch = fetch
        self._entries_max = entries_max
        self._entries: OrderedDict[str, str | None] = OrderedDict()
        self._lock = asyncio.Lock()

    async def names(self, ids: Iterable[str]) -> dict[str, str]:
        """The names of those ids that have one; raises what fetching raises."""
        wanted = dict.fromkeys(ids)
        found: dict[str, str | None] = {}
        missing = self._take(wanted, found)
        if missing:
            async with self._lock:
                missing = self._take(missing, found)
                for start in range(0, len(missing), IDS_PER_REQUEST):
                    await self._load(missing[start : start + IDS_PER_REQUEST], found)
        return {identifier: name for identifier, name in found.items() if name is not None}

    def _take(self, ids: Iterable[str], found: dict[str, str | None]) -> list[str]:
        """Move what is cached to `found`, and return the rest."""
        missing = []
        for identifier in ids:
            if identifier in self._entries:
                self._entries.move_to_end(identifier)
                found[identifier] = self._entries[identifier]
            else:
                missing.append(identifier)
        return missing

    async def _load(self, ids: Sequence[str], found: dict[str, str | None]) -> None:
        names = await self._fetch(ids)
        for identifier in ids:
            found[identifier] = self._entries[identifier] = names.get(identifier)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)


class References:
    """The look-ups of one run."""

    def __init__(self, client: Client, shop: Shop) -> None:
        self._client = client
        self._shop = shop
        self._categories: dict[str, str] | None = None
        self._lock = asyncio.Lock()
        self.coupons = ReferenceCache(self._fetch_codes)
        self.groups = ReferenceCache(self._fetch_groups)
        self.product_categories = ReferenceCache(self._fetch_product_categories)

    async def categories(self) -> dict[str, str]:
        """The path of every category by id, root first: "Clothes > Hats"."""
        if self._categories is None:
            async with self._lock:
                if self._categories is None:
                    self._categories = paths_of(await self._read_categories(), self._shop)
        return self._categories

    async def _read_categories(self) -> list[_Category]:
        ask = _lookup("/categories", "categories", "view_categories", "product_categories")
        found: list[_Category] = []
        while True:
            where = [("where", f"id > {quoted(found[-1].id)}")] if found else []
            page, _ = await self._client.get(replace(ask, params=[*where, *ask.params]), _Categories)
            found += page.results
            if len(page.results) < LOOKUP_ROWS:
                return found

    async def _fetch_codes(self, ids: Sequence[str]) -> dict[str, str]:
        ask = _lookup("/discount-codes", "discount codes", "view_discount_codes", "discount_codes")
        pages = await fetch_by_id(self._client, ask, ids, _Codes)
        return {code.id: code.code for page in pages for code in page.results}

    async def _fetch_groups(self, ids: Sequence[str]) -> dict[str, str]:
        ask = _lookup("/customer-groups", "customer groups", "view_customer_groups", "customer_groups")
        pages = await fetch_by_id(self._client, ask, ids, _Groups)
        return {group.id: group.name for page in pages for group in page.results}

    async def _fetch_product_categories(self, ids: Sequence[str]) -> dict[str, str]:
        """The most specific category path of each product, the first served of several that are as deep.

        Of the staged projections, which still hold the unpublished products that old orders are full of.
        """
        ask = _lookup("/product-projections", "product categories", "view_products", "product_categories")
        pages = await fetch_by_id(self._client, replace(ask, params=[*ask.params, ("staged", "true")]), ids, _Filings)
        paths = await self.categories()
        found: dict[str, str] = {}
        for product in (product for page in pages for product in page.results):
            own = [paths[category.id] for category in product.categories if category.id in paths]
            if own:
                found[product.id] = max(own, key=lambda path: path.count(PATH_SEPARATOR))
        return found


def paths_of(categories: Sequence[_Category], shop: Shop) -> dict[str, str]:
    """The path of names from the root to each category; a parent that is missing or its own ancestor ends it."""
    by_id = {category.id: category for category in categories}
    paths: dict[str, str] = {}
    for category in categories:
        names: list[str] = []
        seen: set[str] = set()
        step: _Category | None = category
        while step is not None and step.id not in seen:
            seen.add(step.id)
            name = shop.text(step.name)
            if name:
                names.append(name)
            step = by_id.get(step.parent.id) if step.parent is not None else None
        if names:
            paths[category.id] = PATH_SEPARATOR.join(reversed(names))
    return paths


async def fetch_by_id(
    client: Client, ask: Ask, ids: Sequence[str], kind: type[T], *, where: str = "id in ({ids})"
) -> list[T]:
    """The pages that hold what the ids name, one unless it is too much for one; raises what `Client.get` raises."""
    if not ids:
        return []
    clause = where.format(ids=", ".join(map(quoted, ids)))
    is_divisible = len(ids) > 1
    try:
        page, _ = await client.get(replace(ask, params=[("where", clause), *ask.params], is_divisible=is_divisible), kind)
    except (TooLargeError, SlowAnswerError):
        if not is_divisible:
            raise
    except RefusedError as error:
        # One id that is none makes the API refuse the others with it.
        plausible = [identifier for identifier in ids if is_id(identifier)]
        if error.status != 400 or len(plausible) == len(ids):
            raise
        return await fetch_by_id(client, ask, plausible, kind, where=where)
    else:
        return [page]
    middle = len(ids) // 2
    first = await fetch_by_id(client, ask, ids[:middle], kind, where=where)
    return first + await fetch_by_id(client, ask, ids[middle:], kind, where=where)


def is_id(text: str) -> bool:
    """Whether a text can be the id of anything: the API refuses a query for one that cannot."""
    return _UUID.fullmatch(text) is not None


def quoted(text: str) -> str:
    """An id or another text as a string of a predicate."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _lookup(path: str, title: str, permission: str, setting: str) -> Ask:
    return Ask(
        path=path,
        what=f"commercetools {title}",
        params=LOOKUP_PARAMS,
        permission=permission,
        scope_hint=f"give the API client `{permission}`, or set `lookups.{setting}: false`",
    )
