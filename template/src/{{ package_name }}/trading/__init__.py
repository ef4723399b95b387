"""The domain: accounts, API keys, balances and orders. Knows nothing of HTTP."""
