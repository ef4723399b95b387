"""Running strategies: each instance is run by one replica at a time, step by step."""
