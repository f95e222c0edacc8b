"""The type that functions name in annotations and isinstance; the runner's worker
implements it."""


class Context:
    """What a function may ask for and do besides returning a value."""
