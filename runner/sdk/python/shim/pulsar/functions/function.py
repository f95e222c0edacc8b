"""The base class of functions."""

from abc import abstractmethod


class Function:
    """A function is a class with process(input, context)."""

    @abstractmethod
    def process(self, input, context):
        """Returns the result for one message, None for no result."""
