"""The sandbox: faithful local simulators of the systems that `cdi` reads from and writes to, with realistic data.

It serves commercetools, Magento, Elastic Path, Segment, mParticle and Insider on loopback with their real paging rules,
limits, error bodies and silent drops, and breaks on request. It shares no code with the connectors, so that it can judge
them, and production code never imports it. In a test:

    with SandboxThread(SandboxOptions(orders=200, now=Instant("2026-11-01T00:00:00.000Z"))) as sandbox:
        fault = sandbox.faults.add(Fault(kind="reset_after_apply", match="/segment/v1/batch"))
        ...                                          # run something against sandbox.url
        assert fault.fired == 1
        assert len(sandbox.segment.applied) == 200
"""

from cdi_cli.sandbox.app import Sandbox, serve
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.options import SandboxOptions, cdi_environment, cdi_yaml
from cdi_cli.sandbox.process import SandboxProcess
from cdi_cli.sandbox.system import source_names, spec_of
from cdi_cli.sandbox.thread import SandboxThread

__all__ = [
    "Fault",
    "Sandbox",
    "SandboxOptions",
    "SandboxProcess",
    "SandboxThread",
    "cdi_environment",
    "cdi_yaml",
    "serve",
    "source_names",
    "spec_of",
]
