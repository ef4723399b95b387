"""The domain: accounts, instruments, balances and orders. Knows nothing of HTTP."""
