"""Where orders are sent: a package for each exchange, with its settings beside it."""
