"""Reconciliation: comparing the books with what the exchange has."""
