"""Transaction ids drawn in advance: one call for randomness serves many requests."""

import secrets

_BATCH = 16
_DIGITS = 16


class TransactionIds:
    """A supply of 64-bit random transaction ids (RFC 4975 section 7.1)."""

    __slots__ = ("_digits", "_position")

    def __init__(self) -> None:
        self._digits = b""
        self._position = 0

    def take(self, body: bytes | None = None) -> bytes:
        """Return a fresh id whose end-line cannot occur in `body`."""
        while True:
            position = self._position
            if position == len(self._digits):
                self._digits = secrets.token_hex(_BATCH * _DIGITS // 2).encode()
                position = 0
            self._position = position + _DIGITS
            transaction_id = self._digits[position : position + _DIGITS]
            if body is None or transaction_id not in body:
                return transaction_id
