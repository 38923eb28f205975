"""One sandbox: shop, Segment workspace, faults and clock behind one port, divided by path.

/commercetools/auth/...  /commercetools/api/{project}/...     the commercetools simulator
/segment/v1/...                                               the Segment simulator
/mparticle/v2/...                                             the mParticle simulator
/insider/api/user/...  /insider/v2/...                         the Insider simulator: users, catalogue
/_sandbox/...                                                 the admin API, see `admin`
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from cdi_cli.sandbox.admin import AdminApi
from cdi_cli.sandbox.commercetools.api import CommercetoolsApi
from cdi_cli.sandbox.commercetools.replies import scripted
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.http_server import ADMIN_PREFIX, HttpServer, Request, Response, ServerHooks
from cdi_cli.sandbox.insider.api import InsiderApi
from cdi_cli.sandbox.insider.api import refused as refused_by_insider
from cdi_cli.sandbox.mparticle.api import MparticleApi
from cdi_cli.sandbox.mparticle.api import refused as refused_by_mparticle
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.parts import Parts
from cdi_cli.sandbox.segment.api import SegmentApi, refused

_PROXY_PAGE = b"<html><head><title>Sign in</title></head><body>Please sign in to the network</body></html>"


class Sandbox(Parts):
    """The parts of a sandbox, wired up; `hooks` is what an `HttpServer` serves."""

    def __init__(self, options: SandboxOptions) -> None:
        super().__init__(options)
        self.hooks = ServerHooks(
            handle=self.handle,
            fault_response=fault_response,
            http_date=self.clock.http_date,
            faults=self.faults,
            latency_seconds=options.latency_ms / 1000,
            log=self.requests,
        )
        self._commercetools = CommercetoolsApi(
            self.shop, self.tokens, options.project_key, page_bytes_max=options.page_bytes_max
        )
        self._segment_api = SegmentApi(self.segment, self.clock, options.write_key)
        self._mparticle_api = MparticleApi(self.mparticle, self.clock, options.mparticle_key, options.mparticle_secret)
        self._insider_api = InsiderApi(
            self.insider, self.insider_catalog, options.insider_partner, options.insider_token, options.insider_catalog_token
        )
        self._admin = AdminApi(self)

    def handle(self, request: Request) -> Response:
        """The answer to any request."""
        if request.path.startswith("/commercetools/"):
            return self._commercetools.handle(request)
        if request.path.startswith("/segment/"):
            return self._segment_api.handle(request)
        if request.path.startswith("/mparticle/"):
            return self._mparticle_api.handle(request)
        if request.path.startswith("/insider/"):
            return self._insider_api.handle(request)
        if request.path.startswith(ADMIN_PREFIX):
            return self._admin.handle(request)
        return Response(404, b'{"message":"no such path in the sandbox"}')


def fault_response(request: Request, fault: Fault) -> Response:
    """What a `status` or `html200` fault answers: its own body, else the imitated system's usual one."""
    if fault.kind == "html200":
        return Response(200, _PROXY_PAGE, dict(fault.headers), "text/html; charset=utf-8")
    if fault.body is not None:
        text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
        return Response(fault.status, text.encode(), dict(fault.headers))
    if request.path.startswith("/segment/"):
        response = refused(fault.status, f"scripted status {fault.status}")
    elif request.path.startswith("/mparticle/"):
        response = refused_by_mparticle(fault.status)
    elif request.path.startswith("/insider/"):
        response = refused_by_insider(fault.status, request.path)
    else:
        response = scripted(fault.status)
        response.headers["X-Correlation-ID"] = request.headers.get("x-correlation-id", "sandbox/fault")
    response.headers.update(fault.headers)
    return response


async def serve(options: SandboxOptions, on_ready: Callable[[str], None]) -> None:
    """Seed and serve until cancelled; `on_ready` gets the base URL once requests are answered."""
    server = HttpServer(Sandbox(options).hooks)
    on_ready(await server.start(options.host, options.port))
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
