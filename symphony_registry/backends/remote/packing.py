"""Large JSON texts as a server keeps them: compressed, since sending takes longer than that."""

import zstandard

# Bytes from which on a text is compressed.
_LARGE = 2_000


def packed(text: bytes) -> bytes:
    """Return the text of a JSON object as it is sent and kept."""
    return zstandard.compress(text) if len(text) > _LARGE else text


def unpacked(stored: bytes) -> bytes:
    """Return the text again; one that is compressed does not begin with a brace."""
    return stored if stored.startswith(b"{") else zstandard.decompress(stored)
