"""The paper venue: a market that moves and never lies, and trades no money. docs/paper-venue.md"""
