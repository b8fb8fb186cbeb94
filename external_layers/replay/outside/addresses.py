"""Addresses and hashes that nobody owns, in the spelling of each chain."""

from hashlib import blake2b
from typing import Final

_HEX: Final = "0123456789abcdef"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
EVM: Final = ("ethereum", "bsc", "base", "arbitrum", "polygon")
# Prefix, alphabet and length of what follows, by chain.
_ADDRESSES: Final = {
    "bitcoin": ("bc1q", _BECH32, 38),
    "tron": ("T", _BASE58, 33),
    "solana": ("", _BASE58, 44),
    **dict.fromkeys(EVM, ("0x", _HEX, 40)),
}
_HASHES: Final = {
    "solana": ("", _BASE58, 88),
    **dict.fromkeys(EVM, ("0x", _HEX, 64)),
}
_PLAIN_ADDRESS: Final = ("", _BASE58, 34)
_PLAIN_HASH: Final = ("", _HEX, 64)


def address(chain: str, seed: int, key: str) -> str:
    """Return the address of a chain that belongs to a key; checksums are not made."""
    return _spelled(_ADDRESSES.get(chain, _PLAIN_ADDRESS), f"address:{chain}:{seed}:{key}")


def hash_of(chain: str, seed: int, key: str) -> str:
    """Return the hash (or the signature) of a transaction that belongs to a key."""
    return _spelled(_HASHES.get(chain, _PLAIN_HASH), f"hash:{chain}:{seed}:{key}")


def _spelled(form: tuple[str, str, int], key: str) -> str:
    prefix, alphabet, length = form
    digits = b""
    while len(digits) < length:
        digits += blake2b(f"{key}:{len(digits)}".encode()).digest()
    return prefix + "".join(alphabet[digit % len(alphabet)] for digit in digits[:length])
