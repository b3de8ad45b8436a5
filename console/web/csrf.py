"""The token of forms: masked anew in each page, so that compressed pages tell nothing of it."""

import base64
import binascii
import hmac
import secrets


def masked(key: bytes) -> str:
    """Return the token for one page."""
    mask = secrets.token_bytes(len(key))
    return base64.urlsafe_b64encode(mask + bytes(a ^ b for a, b in zip(mask, key, strict=True))).decode()


def is_from(key: bytes, token: str) -> bool:
    """Return whether a token was made from this key."""
    try:
        given = base64.urlsafe_b64decode(token.encode())
    except (binascii.Error, ValueError):
        return False
    if len(given) != 2 * len(key):
        return False
    mask, rest = given[: len(key)], given[len(key) :]
    return hmac.compare_digest(bytes(a ^ b for a, b in zip(mask, rest, strict=True)), key)
