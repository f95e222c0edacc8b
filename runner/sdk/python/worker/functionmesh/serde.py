"""Bytes to values and back, by the schema of the topic.

"" is Pulsar's IdentitySerDe, which tries int, float, complex and str in this order
and leaves anything else as bytes; "bytes", "string" and "json" are what they say.
"""

import json

# No number begins with any other ASCII letter: inf, nan, j. For those the three
# failing conversions can be skipped without changing the outcome.
_NUMERIC_LETTERS = frozenset(b"iInNjJ")
_LETTERS = frozenset(range(ord("A"), ord("Z") + 1)) | frozenset(range(ord("a"), ord("z") + 1))
_PLAIN_START = _LETTERS - _NUMERIC_LETTERS

# Nor is there any other ASCII character in one than these. What is not ASCII may be a
# digit, and controls may be space around it.
_IN_NUMBERS = bytes(range(0x21)) + b"0123456789_+-.()eEjJiInNfFtTyYaA" + bytes(range(0x7F, 0x100))


def identity_decode(data):
    """What Pulsar's default hands to a Python function."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    if data and (data[0] in _PLAIN_START or data.translate(None, _IN_NUMBERS)):
        return text
    for kind in (int, float, complex):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def identity_encode(value):
    """Pulsar's default for what a Python function returns."""
    kind = type(value)
    if kind is bytes:
        return value
    if kind is str:
        return value.encode("utf-8")
    if kind in (int, float, complex):
        return str(value).encode("utf-8")
    raise TypeError("IdentitySerDe cannot serialize object of type %s" % kind)


def _bytes_encode(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError("the output's schema is bytes, the function returned %s" % type(value).__name__)


def _string_encode(value):
    if isinstance(value, str):
        return value.encode("utf-8")
    raise TypeError("the output's schema is string, the function returned %s" % type(value).__name__)


def _json_encode(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _string_decode(data):
    return data.decode("utf-8")


def decoder(schema):
    """The decoder of a schema; None: values are handed over as bytes."""
    return {"": identity_decode, "bytes": None, "string": _string_decode, "json": json.loads}[schema]


def encoder(schema):
    """The encoder of a schema."""
    return {"": identity_encode, "bytes": _bytes_encode, "string": _string_encode, "json": _json_encode}[schema]
