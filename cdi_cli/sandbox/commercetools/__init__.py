"""The commercetools simulator: OAuth, query endpoints with the real paging and predicate rules, and its data."""
