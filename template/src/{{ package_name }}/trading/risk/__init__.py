"""Risk: what this service refuses before the exchange hears of it."""
