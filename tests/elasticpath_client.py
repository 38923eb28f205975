"""A bare client for the simulated Elastic Path: stdlib only, so that no connector is being tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from sandbox_client import Answer, SandboxClient

from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions

FORM = "application/x-www-form-urlencoded"


class ElasticPathClient(SandboxClient):
    """Talks to the Elastic Path of one sandbox; mints a token when it needs one."""

    def __init__(self, url: str, options: ElasticPathOptions | None = None) -> None:
        super().__init__(url)
        self.options = options or ElasticPathOptions()

    def mint(self, *, content_type: str = FORM, **changes: str) -> Answer:
        """Ask for a token, with fields of the form changed; keeps it if one was given."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.options.client_id,
            "client_secret": self.options.client_secret,
        } | changes
        headers = {"Content-Type": content_type}
        answer = self.call("POST", "/elasticpath/oauth/access_token", body=urlencode(form).encode(), headers=headers)
        if answer.status == 200:
            self.access_token = answer.json()["access_token"]
        return answer

    def get(self, path: str, **params: str) -> Answer:
        """A GET with the kept token; parameters of `page` are `limit` and `offset`."""
        if self.access_token is None:
            assert self.mint().status == 200
        pairs = {f"page[{name}]" if name in ("limit", "offset") else name: value for name, value in params.items()}
        target = f"/elasticpath/{path}" + (f"?{urlencode(pairs)}" if pairs else "")
        return self.call("GET", target, headers={"Authorization": f"Bearer {self.access_token}"})

    def listed(self, path: str, **params: str) -> Any:
        """The answer of a list, decoded; fails the test when there is none."""
        answer = self.get(path, **params)
        assert answer.status == 200, answer.body
        return answer.json()

    def ids(self, path: str, **params: str) -> list[str]:
        """The ids of a list's records."""
        return [record["id"] for record in self.listed(path, **params)["data"]]

    def walk(
        self, path: str, field: str = "updated_at", since: str = "2000-01-01T00:00:00.000Z"
    ) -> Iterator[dict[str, Any]]:
        """Every record from a time on as the vendor recommends: keyset by a time, offsets only inside one time."""
        seen: set[str] = set()
        while True:
            offset, last = 0, since
            while True:
                page = self.listed(path, filter=f'ge({field},"{since}")', sort=field, limit="100", offset=str(offset))[
                    "data"
                ]
                for record in page:
                    if record["id"] not in seen:
                        seen.add(record["id"])
                        yield record
                if len(page) < 100:
                    return
                last = page[-1]["meta"]["timestamps"][field]
                if last != since:
                    break
                offset += 100
            since = last

    def mutate(self, **change: Any) -> Any:
        """One change through the admin API; fails the test when it is refused."""
        answer = self.admin("POST", "elasticpath/mutate", change)
        assert answer.status == 200, answer.body
        return answer.json()[0]

    def switch(self, **switches: Any) -> Any:
        """Change how the store behaves; fails the test when it is refused."""
        answer = self.admin("POST", "elasticpath/switches", switches)
        assert answer.status == 200, answer.body
        return answer.json()
