"""Strategies: what to do, given what is known."""
