"""Error codes of the paper venue, for what people ask of it by hand."""

from ...core.errors import ErrorCodeBase


class PaperErrorCode(ErrorCodeBase):
    """Codes of posted quotes and scripted faults."""

    PRICES_NOT_POSTED = "PRICES_NOT_POSTED", 409, "Prices are not posted", {"prices": "seeded"}
    INVALID_QUOTE = "INVALID_QUOTE", 422, "Quote not valid", {"side": "bids", "level": 0}
    INVALID_FAULT = "INVALID_FAULT", 422, "No such fault", {"op": "place", "kind": "timeout_after"}
