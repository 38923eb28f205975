"""The tracking plan: what each event is, where each property comes from, and whether an event keeps to it."""
