"""Measurements of `cdi`: always beside a floor measured in the same run, always as processes of their own."""
