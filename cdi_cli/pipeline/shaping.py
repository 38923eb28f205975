"""What a pipeline's settings mean to the layers that shape events: one translation for every command that makes events."""

from __future__ import annotations

from collections.abc import Mapping

from cdi_cli.config.settings import ConsentRule, IdentityPolicy, LifecyclePolicy, Settings
from cdi_cli.events import IdentitySettings, LifecycleSettings
from cdi_cli.sources import ConsentField


def consent_fields(rules: Mapping[str, ConsentRule]) -> dict[str, ConsentField]:
    """Where records keep each consent category, as sources read it."""
    return {name: ConsentField(rule.field, rule.granted, rule.denied) for name, rule in rules.items()}


def identity_of(policy: IdentityPolicy) -> IdentitySettings:
    """Which values say who an event happened to."""
    return IdentitySettings(policy.user_id, policy.guest_id)


def lifecycle_of(policy: LifecyclePolicy) -> LifecycleSettings:
    """Which state makes which event."""
    return LifecycleSettings(policy.order_completed, policy.off)


def is_paid_at_needed(policy: LifecyclePolicy) -> bool:
    """Whether it matters when an order was paid: it is new from then on."""
    return policy.order_completed == "paid"


def required_consent(settings: Settings, pipeline: str, destination: str) -> tuple[str, ...]:
    """The categories that an event needs to go there; a destination may ask for more than the pipeline, never for less."""
    own = getattr(settings.destinations[destination].settings, "require_consent", ())
    return tuple(dict.fromkeys((*settings.pipelines[pipeline].require_consent, *own)))
