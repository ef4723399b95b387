"""Backtests: strategies on candles of the past, by the matching code of the paper venue."""
