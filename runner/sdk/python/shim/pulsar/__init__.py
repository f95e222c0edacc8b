"""Stand-in for the part of the pulsar package that functions import.

It is put last on the path: where the pulsar-client package is installed, that one is
used. Functions that open clients of their own need the real package.
"""

from pulsar.functions.context import Context
from pulsar.functions.function import Function
from pulsar.functions.serde import IdentitySerDe, PickleSerDe, SerDe

__all__ = ["Context", "Function", "IdentitySerDe", "PickleSerDe", "SerDe"]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError("pulsar.%s needs the pulsar-client package: pip install pulsar-client" % name)
