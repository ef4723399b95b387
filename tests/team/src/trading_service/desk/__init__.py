"""The desk: its feed of prices, its settings, its report."""

MOST_NOTES = 100
