"""The checkpoint file: what was read, delivered and refused, kept durably in one SQLite file."""
