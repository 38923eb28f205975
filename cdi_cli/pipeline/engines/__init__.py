"""Engines: where the work on partitions is done.

An engine has one method, `run(partitions, work, workers)`: it calls `work(partition)` for every partition, at most `workers`
at a time, starting them in order, and raises the first error after cancelling the others.
"""

from cdi_cli.pipeline.engines.local import run

__all__ = ["run"]
