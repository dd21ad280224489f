"""Large values as a server keeps them: compressed, since sending takes longer than that."""

import zstandard

# Bytes from which on a text is compressed.
_LARGE = 2_000
_WORTH = 0.9  # of its length, at the most, is what compressing a payload leaves, or it is kept as it is
_MAGIC = b"\x28\xb5\x2f\xfd"  # what compressed bytes begin with: RFC 8878


def packed(text: bytes) -> bytes:
    """Return the text of a JSON object as it is sent and kept."""
    return zstandard.compress(text) if len(text) > _LARGE else text


def unpacked(stored: bytes) -> bytes:
    """Return the text again; one that is compressed does not begin with a brace."""
    return stored if stored.startswith(b"{") else zstandard.decompress(stored)


def packed_payload(payload: bytes) -> bytes:
    """Return any bytes as they are sent and kept: compressed where that makes them a good deal shorter."""
    if len(payload) > _LARGE:
        compressed = zstandard.compress(payload)
        if len(compressed) < len(payload) * _WORTH:
            return compressed
    return zstandard.compress(payload) if payload.startswith(_MAGIC) else payload


def unpacked_payload(stored: bytes) -> bytes:
    """Return the bytes again."""
    return zstandard.decompress(stored) if stored.startswith(_MAGIC) else stored
