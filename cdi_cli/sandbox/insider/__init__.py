"""The Insider simulator: takes every event as often as it is sent, says 200, and records what it stored and threw away."""
