"""Adds an exclamation mark to every message. Written for Pulsar Functions."""

from pulsar import Function


class Exclaim(Function):
    def process(self, input, context):
        return str(input) + "!"
