"""The real Magento source against its simulator: one shop's life, see `source_life`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from source_life import SourceLife

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sources import ConsentField, SourceContext
from cdi_cli.sources.magento import SOURCE, MagentoSettings
from cdi_cli.sources.magento.source import MagentoSource

TOKEN_VARIABLE = "MAGENTO_LIFE_TOKEN"
CONSENT = {"email": ConsentField("extension_attributes.is_subscribed")}
STREAMS = ("customers", "orders", "creditmemos", "carts")


def source_of(url: str, token: str, *, consent: bool = True, with_paid_at: bool = False, **changes: Any) -> MagentoSource:
    """The real source, open, with the integration's token."""
    os.environ[TOKEN_VARIABLE] = token
    values = {"base_url": f"{url}/magento", "access_token": f"${{{TOKEN_VARIABLE}}}", "page_size": 40, **changes}
    context = SourceContext(run_id="life", consent=CONSENT if consent else {}, with_paid_at=with_paid_at)
    return MagentoSource(MagentoSettings.model_validate(values), context)


class MagentoLife(SourceLife):
    """A running Magento shop."""

    source_spec = SOURCE
    streams = STREAMS

    def open(self) -> MagentoSource:
        """The real source, open."""
        return source_of(self.sandbox.url, self.sandbox.options.magento.access_token, **self.source_options)

    def change(self, change: dict[str, Any]) -> Any:
        """One change; the record as it is now."""
        return self.sandbox.magento.mutate(change)


@contextmanager
def magento_life(folder: Path, orders: int = 60) -> Iterator[MagentoLife]:
    """A small shop whose data ends now."""
    with SandboxThread(SandboxOptions(sources=("magento",), orders=orders, now=SYSTEM_CLOCK.instant())) as sandbox:
        yield MagentoLife(sandbox, folder)
