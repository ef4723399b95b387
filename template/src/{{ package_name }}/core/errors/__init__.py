from .context import error_context as error_context
from .exceptions import ErrorCode as ErrorCode
from .exceptions import ErrorCodeBase as ErrorCodeBase
from .exceptions import TradingException as TradingException
