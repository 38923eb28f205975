"""A simulated Elastic Path Composable Commerce store: orders, payments, customers, accounts, products."""
