"""Sync and backfill commerce data into customer data platforms, checked against one tracking plan."""

__version__ = "0.1.0"
