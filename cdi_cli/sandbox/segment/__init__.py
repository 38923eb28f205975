"""The Segment simulator: says 200 to nearly everything, and records what it really applied, dropped or deduplicated."""
