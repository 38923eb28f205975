"""What settings mean: above all, whose consent is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi_cli.pipeline.project import load_project
from cdi_cli.pipeline.shaping import required_consent

CONFIG = """\
workspace: acme
sources:
  shop: {{type: commercetools, project_key: acme, region: europe-west1.gcp, client_id: x, client_secret: "${{KEY}}"}}
destinations:
  segment: {{type: segment, region: eu, write_key: "${{KEY}}", require_consent: [{destination}]}}
pipelines:
  main:
    source: shop
    destinations: [segment]
    consent: {{Ads: {{field: custom.fields.ads}}, Mail: {{field: custom.fields.mail}}}}
    require_consent: [{pipeline}]
"""


@pytest.mark.parametrize(
    ("pipeline", "destination", "required"),
    [
        ("", "", ()),
        ("Ads", "", ("Ads",)),
        ("", "Mail", ("Mail",)),
        ("Ads", "Mail", ("Ads", "Mail")),
        ("Ads", "Ads", ("Ads",)),
    ],
)
def test_a_destination_may_ask_for_more_consent_never_for_less(
    tmp_path: Path, pipeline: str, destination: str, required: tuple[str, ...]
) -> None:
    """What the pipeline or the destination requires is required, once."""
    file = tmp_path / "cdi.yaml"
    file.write_text(CONFIG.format(pipeline=pipeline, destination=destination), encoding="utf-8")

    assert required_consent(load_project(file, environment={"KEY": "k"}).settings, "main", "segment") == required
