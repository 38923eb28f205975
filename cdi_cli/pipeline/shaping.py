"""What a pipeline's settings mean to the layers that shape events: one translation for every command that makes events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdi_cli.commerce.regions import countries_of
from cdi_cli.config.settings import ConsentRule, IdentityPolicy, LifecyclePolicy, Settings
from cdi_cli.events import ConsentPolicy, EventBuilder, IdentitySettings, IdFormat, LifecycleSettings
from cdi_cli.plan import CompiledPlan
from cdi_cli.sources import ConsentField


def consent_fields(rules: Mapping[str, ConsentRule]) -> dict[str, ConsentField]:
    """Where records keep each consent category, as sources read it."""
    return {
        name: ConsentField(rule.field, rule.granted, rule.denied, rule.customer_field or rule.field)
        for name, rule in rules.items()
    }


def consent_policy(settings: Settings, rules: Mapping[str, ConsentRule]) -> ConsentPolicy | None:
    """What counts as consent in which country (of the first region that lists it); None where no region is named."""
    if not settings.regions:
        return None
    regions: dict[str, str] = {}
    for name, region in settings.regions.items():
        for country in countries_of(region.countries):
            regions.setdefault(country, name)
    regimes = {name: region.regime for name, region in settings.regions.items()}
    return ConsentPolicy(regions, regimes, {category: rule.regimes for category, rule in rules.items() if rule.regimes})


def builder_of(settings: Settings, pipeline: str, plan: CompiledPlan, *, is_stamped: bool = True) -> EventBuilder:
    """What makes the events of a pipeline; `is_stamped`: they carry the plan's version."""
    chosen = settings.pipelines[pipeline]
    return EventBuilder(
        IdFormat(settings.workspace, chosen.source, dict(chosen.ids)),
        identity_of(chosen.identity),
        event_version=plan.major_version,
        plan=(plan.name, plan.version) if is_stamped else None,
        consent=consent_policy(settings, chosen.consent),
    )


def identity_of(policy: IdentityPolicy) -> IdentitySettings:
    """Which values say who an event happened to."""
    return IdentitySettings(policy.user_id, policy.guest_id, policy.link_guests)


def lifecycle_of(policy: LifecyclePolicy) -> LifecycleSettings:
    """Which state makes which event."""
    off = policy.off if policy.customer_updated != "deleted" else (*policy.off, "customer.profile")
    return LifecycleSettings(policy.order_completed or "placed", off, policy.groups, policy.checkout_started or "cart")


def script_settings(settings: Settings, pipeline: str) -> dict[str, Any]:
    """What the scripts of a plan may read of a pipeline's settings: names and switches, nothing that is secret."""
    chosen = settings.pipelines[pipeline]
    lifecycle = lifecycle_of(chosen.lifecycle)
    locale = getattr(settings.sources[chosen.source].settings, "locale", None)
    return {
        "pipeline": pipeline,
        "source": chosen.source,
        **({"locale": locale} if isinstance(locale, str) else {}),
        "lifecycle": {name: getattr(lifecycle, name) for name in lifecycle.__struct_fields__},
    }


def is_paid_at_needed(policy: LifecyclePolicy) -> bool:
    """Whether it matters when an order was paid: it is new from then on."""
    return policy.order_completed == "paid"


def required_consent(settings: Settings, pipeline: str, destination: str) -> tuple[str, ...]:
    """The categories that an event needs to go there; a destination may ask for more than the pipeline, never for less."""
    own = getattr(settings.destinations[destination].settings, "require_consent", ())
    return tuple(dict.fromkeys((*settings.pipelines[pipeline].require_consent, *own)))
