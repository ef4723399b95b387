"""The ledger: every movement of money, in order."""
