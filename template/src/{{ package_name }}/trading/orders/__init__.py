"""Orders: the table, placing, canceling, looking up.

Rows are locked in one order everywhere: the order, then balances sorted by (account, currency).
"""
