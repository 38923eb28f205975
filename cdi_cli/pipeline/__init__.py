"""The pipeline: from pages of source records to settled batches of events."""
