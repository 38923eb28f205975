"""The mParticle simulator: says 202 to nearly everything, and records what it applied, dropped, cut or deduplicated."""
