"""Settings: `cdi.yaml` read, checked all at once, and turned into typed values."""
