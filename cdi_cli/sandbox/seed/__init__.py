"""Seed data: a realistic shop, the same for the same options."""
