"""Candles of the exchange, as they come into the store."""
