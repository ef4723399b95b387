"""Strategies: pure decisions, and what runs them."""
