"""The ground of the domain: money, the market's words, instruments. Knows no account."""
