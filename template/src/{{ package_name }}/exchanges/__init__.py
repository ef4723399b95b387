"""The exchanges that orders are sent to: a package for each, with its settings beside it."""
