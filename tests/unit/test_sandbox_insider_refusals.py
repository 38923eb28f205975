"""The imitated Insider refuses single users on request, in the way in which it refuses bad ones."""

from __future__ import annotations

from insider_sandbox import call
from sandbox_client import SandboxClient

from cdi_cli.sandbox import SandboxOptions, SandboxThread


def test_a_user_on_the_block_list_is_refused_alone() -> None:
    """The others of the request are stored, and the place of the refused one is named."""
    users = [{"identifiers": {"uuid": uuid}, "attributes": {"name": uuid}} for uuid in ("c-1", "c-2", "c-3")]
    with SandboxThread(SandboxOptions(orders=1)) as sandbox, SandboxClient(sandbox.url) as client:
        sandbox.insider.rules.block_list.add("c-2")

        answer = call(client, "api/user/v1/upsert", {"users": users})

        assert answer.status == 200
        data = answer.json()["data"]
        assert (data["successful"], data["fail"]["count"]) == ({"count": 2}, 1)
        assert list(data["fail"]["errors"]) == ["users.1.identifiers.*.blocked"]
        assert [profile.identifiers["uuid"] for profile in sandbox.insider.profiles] == ["c-1", "c-3"]
