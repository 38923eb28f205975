"""One sandbox: simulated systems, faults and clock behind one port, divided by path.

/commercetools/auth/...  /commercetools/api/{project}/...     the commercetools simulator
/magento/rest/...        /magento/{tenant}/V1/...             the Magento simulator
/elasticpath/v2/...      /elasticpath/pcm/...                 the Elastic Path simulator
/segment/v1/...                                               the Segment simulator
/mparticle/v2/...                                             the mParticle simulator
/insider/api/user/...    /insider/v2/...                      the Insider simulator: users, catalogue
/_sandbox/...                                                 the admin API, see `admin`
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from cdi_cli.sandbox.admin import AdminApi
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.http_server import ADMIN_PREFIX, HttpServer, Request, Response, ServerHooks
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.parts import Parts

_PROXY_PAGE = b"<html><head><title>Sign in</title></head><body>Please sign in to the network</body></html>"
_NO_SUCH_PATH = b'{"message":"no such path in the sandbox"}'


class Sandbox(Parts):
    """The parts of a sandbox, wired up; `hooks` is what an `HttpServer` serves."""

    def __init__(self, options: SandboxOptions) -> None:
        super().__init__(options)
        self.hooks = ServerHooks(
            handle=self.handle,
            fault_response=self.fault_response,
            http_date=self.clock.http_date,
            faults=self.faults,
            latency_seconds=options.latency_ms / 1000,
            log=self.requests,
        )
        self._admin = AdminApi(self)

    def handle(self, request: Request) -> Response:
        """The answer to any request."""
        if request.path.startswith(ADMIN_PREFIX):
            return self._admin.handle(request)
        system = self.system_of(request.path)
        return system.handle(request) if system is not None else Response(404, _NO_SUCH_PATH)

    def fault_response(self, request: Request, fault: Fault) -> Response:
        """What a `status` or `html200` fault answers: its own body, else the imitated system's usual one."""
        if fault.kind == "html200":
            return Response(200, _PROXY_PAGE, dict(fault.headers), "text/html; charset=utf-8")
        if fault.body is not None:
            text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
            return Response(fault.status, text.encode(), dict(fault.headers))
        system = self.system_of(request.path)
        response = system.failed(request, fault.status) if system is not None else Response(fault.status)
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
