"""The desk: its feed of prices, its settings, its report."""
