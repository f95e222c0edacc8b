"""The worker side of the runner's batch frames, for Python functions.

Standard library only. User code imports nothing from here: it sees Pulsar's own
interface, from an installed client or from the stand-in in shim/.
"""
