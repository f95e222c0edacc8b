"""Serialisation classes that functions name in context.publish."""

import pickle
from abc import abstractmethod


class SerDe:
    """Turns values into bytes and back."""

    @abstractmethod
    def serialize(self, input):
        """Value to bytes."""

    @abstractmethod
    def deserialize(self, input_bytes):
        """Bytes to value."""


class PickleSerDe(SerDe):
    """Python's own pickle."""

    def serialize(self, input):
        return pickle.dumps(input)

    def deserialize(self, input_bytes):
        return pickle.loads(input_bytes)


class IdentitySerDe(SerDe):
    """Text of numbers and strings; bytes as they are."""

    def serialize(self, input):
        if type(input) in (int, float, complex, str):
            return str(input).encode("utf-8")
        if type(input) is bytes:
            return input
        raise TypeError("IdentitySerDe cannot serialize object of type %s" % type(input))

    def deserialize(self, input_bytes):
        for kind in (int, float, complex, str):
            try:
                return kind(input_bytes.decode("utf-8"))
            except ValueError:
                continue
        return input_bytes
