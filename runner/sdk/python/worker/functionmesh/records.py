"""Records of the logger on their way to the log topic."""

import logging
import threading

from functionmesh import frames

# Python's levels in tens, as frames number them: TRACE is below DEBUG.
_LEVELS = ((50, 6), (40, 5), (30, 4), (20, 3), (10, 2))
SEND_BYTES = 32 << 10
KEEP_BYTES = 1 << 20


def level(number):
    """The level of a frame for one of the logging module."""
    for least, value in _LEVELS:
        if number >= least:
            return value
    return 1


class Handler(logging.Handler):
    """Keeps records until the batch is done, and sends many, or old ones, before."""

    def __init__(self, worker):
        super().__init__()
        self.worker = worker
        self.guard = threading.Lock()
        self.records = []
        self.bytes = 0

    def emit(self, record):
        worker = self.worker
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        index = frames.NULL if worker.busy is None else max(worker.index, 0)
        encoded = frames.record(level(record.levelno), index, int(record.created * 1000), text)
        with self.guard:
            if self.bytes > KEEP_BYTES:
                return  # the runner reads nothing at all; standard error has it
            self.records.append(encoded)
            self.bytes += len(encoded)
            many = self.bytes > SEND_BYTES
        if many:
            self.send()

    def take(self):
        """The records that were not sent."""
        with self.guard:
            taken, self.records, self.bytes = self.records, [], 0
        return taken

    def send(self):
        """Sends what there is in a frame of its own."""
        taken = self.take()
        if taken:
            busy = self.worker.busy
            self.worker.send_raw(frames.log(0 if busy is None else busy, taken))
