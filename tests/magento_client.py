"""A bare client for the simulated Magento: stdlib only, with a signer of its own, so that no connector is being tested."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
from typing import Any
from urllib.parse import quote, unquote, urlencode

from sandbox_client import Answer, SandboxClient

from cdi_cli.sandbox.magento.options import MagentoOptions

Filter = tuple[str, str, str]
"""Field, condition, value."""
_nonces = itertools.count(1)


def criteria(
    *groups: Filter | list[Filter],
    sort: list[tuple[str, str]] | None = None,
    size: int | None = None,
    page: int | None = None,
) -> list[tuple[str, str]]:
    """`searchCriteria` parameters: each filter is a group of its own, each list of filters one group."""
    params = [("searchCriteria", "")]
    for number, group in enumerate(groups):
        for place, (field, condition, value) in enumerate(group if isinstance(group, list) else [group]):
            name = f"searchCriteria[filter_groups][{number}][filters][{place}]"
            params += [(f"{name}[field]", field), (f"{name}[condition_type]", condition), (f"{name}[value]", value)]
    for number, (field, direction) in enumerate(sort or []):
        name = f"searchCriteria[sortOrders][{number}]"
        params += [(f"{name}[field]", field), (f"{name}[direction]", direction)]
    params += [("searchCriteria[pageSize]", str(size))] if size is not None else []
    params += [("searchCriteria[currentPage]", str(page))] if page is not None else []
    return params


class MagentoClient(SandboxClient):
    """Talks to the Magento of one sandbox with the integration's token, unless told otherwise."""

    def __init__(self, url: str, options: MagentoOptions | None = None) -> None:
        super().__init__(url)
        self.url = url
        self.options = options or MagentoOptions()

    def rest(self, path: str, params: list[tuple[str, str]] | None = None, *, store: str = "all", **headers: str) -> Answer:
        """A GET below `/rest/{store}/V1/`; `headers` replace those that are sent otherwise."""
        given = {"Authorization": f"Bearer {self.options.access_token}"} | {
            n.replace("_", "-"): v for n, v in headers.items()
        }
        query = urlencode(params or [], quote_via=quote)
        return self.call("GET", f"/magento/rest/{store}/V1/{path}" + (f"?{query}" if query else ""), headers=given)

    def listed(self, path: str, *groups: Filter | list[Filter], store: str = "all", **options: Any) -> Any:
        """The answer of a list, decoded; fails the test when there is none."""
        answer = self.rest(path, criteria(*groups, **options), store=store)
        assert answer.status == 200, answer.body
        return answer.json()

    def ids(self, path: str, *groups: Filter | list[Filter], key: str = "entity_id", **options: Any) -> list[int]:
        """The keys of a list's rows."""
        return [item[key] for item in self.listed(path, *groups, **options)["items"]]

    def mutate(self, **change: Any) -> Any:
        """One change through the admin API; fails the test when it is refused."""
        answer = self.admin("POST", "magento/mutate", change)
        assert answer.status == 200, answer.body
        return answer.json()[0]

    def signed(self, path: str, query: str, *, is_natural: bool = True, **changes: str) -> Answer:
        """A request signed as Magento wants it, `[2]` before `[10]`, or with parameters sorted by bytes."""
        options = self.options
        fields = {
            "oauth_consumer_key": options.consumer_key,
            "oauth_token": options.access_token,
            "oauth_nonce": f"nonce-{next(_nonces)}",
            "oauth_timestamp": "1795331547",
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_version": "1.0",
        } | changes
        pairs = [tuple(map(unquote, part.split("=", 1))) for part in query.split("&") if part] + list(fields.items())
        encoded = [(quote(name, safe=""), quote(value, safe="")) for name, value in pairs]
        if is_natural:
            encoded.sort(key=lambda pair: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", pair[0])])
        else:
            encoded.sort()
        base = "&".join(f"{name}={value}" for name, value in encoded)
        text = f"GET&{quote(self.url + path, safe='')}&{quote(base, safe='')}"
        key = f"{options.consumer_secret}&{options.access_token_secret}".encode()
        signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
        listed = {"oauth_signature": signature, **fields}
        header = "OAuth " + ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in listed.items())
        return self.call("GET", f"{path}?{query}" if query else path, headers={"Authorization": header})


def message_of(answer: Answer) -> str:
    """The text of an error with its parameters put in."""
    body = json.loads(answer.body)
    text, parameters = str(body["message"]), body.get("parameters", {})
    named = parameters.items() if isinstance(parameters, dict) else ((str(n), v) for n, v in enumerate(parameters, 1))
    for name, value in named:
        text = text.replace(f"%{name}", str(value))
    return text
