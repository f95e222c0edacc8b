"""Frames and their payloads; the layout is described in runner/runtime/frame."""

import struct

PROTOCOL = 1
SDK = "python/0.1.0"

HELLO, START, READY, FAILED, BATCH, RESULTS, STOP, PROGRESS = range(1, 9)

NULL = 0xFFFFFFFF
KIND_NONE, KIND_VALUE, KIND_OUTPUTS, KIND_ERROR = range(4)

MAX_ERROR_TEXT = 4096

_HEAD = struct.Struct(">IB")
_COUNTERS = struct.Struct(">QI")
_META = struct.Struct(">IIqqIIII")
_OUTPUT = struct.Struct(">IqIII")
_PAIR = struct.Struct(">II")
_U32 = struct.Struct(">I")


class Malformed(Exception):
    """A frame or payload breaks the layout."""


def frame(kind, payload):
    """One frame as bytes."""
    return _HEAD.pack(len(payload) + 1, kind) + payload


def read_frame(stream):
    """The next (kind, payload), or None at the end of the stream."""
    head = stream.read(5)
    if not head:
        return None
    if len(head) < 5:
        raise Malformed("truncated frame header")
    size, kind = _HEAD.unpack(head)
    if size < 1:
        raise Malformed("frame of length 0")
    payload = stream.read(size - 1)
    if len(payload) < size - 1:
        raise Malformed("truncated frame")
    return kind, payload


def progress(batch_id, index):
    """A whole PROGRESS frame."""
    return frame(PROGRESS, _COUNTERS.pack(batch_id, index))


class Batch:
    """The columns of a BATCH payload: values are sliced by the caller, metas on demand."""

    __slots__ = ("id", "count", "lengths", "metas", "first_value", "first_meta", "payload")

    def __init__(self, payload):
        try:
            self.id, self.count = _COUNTERS.unpack_from(payload, 0)
            n = self.count
            both = struct.unpack_from(">%dI" % (2 * n), payload, 12)
        except struct.error as e:
            raise Malformed(str(e))
        self.payload = payload
        self.lengths, self.metas = both[:n], both[n:]
        self.first_value = 12 + 8 * n
        self.first_meta = len(payload) - sum(self.metas)
        if self.first_value + sum(x for x in self.lengths if x != NULL) != self.first_meta:
            raise Malformed("batch ends in the wrong place")


class Meta:
    """What a message carries beside its value, decoded when it is asked for."""

    __slots__ = ("_payload", "_strings", "_fixed")

    def __init__(self, payload, at):
        self._payload = payload
        self._strings = at + _META.size
        self._fixed = _META.unpack_from(payload, at)

    @property
    def partition(self):
        return self._fixed[0]

    @property
    def redelivery(self):
        return self._fixed[1]

    @property
    def event_time(self):
        return self._fixed[2]

    @property
    def publish_time(self):
        return self._fixed[3]

    @property
    def topic(self):
        at = self._strings
        return self._payload[at : at + self._fixed[4]].decode()

    @property
    def id(self):
        at = self._strings + self._fixed[4]
        return self._payload[at : at + self._fixed[5]].decode()

    @property
    def key(self):
        size = self._fixed[6]
        if size == NULL:
            return None
        at = self._strings + self._fixed[4] + self._fixed[5]
        return self._payload[at : at + size]

    @property
    def properties(self):
        payload, found = self._payload, {}
        key = self._fixed[6]
        at = self._strings + self._fixed[4] + self._fixed[5] + (0 if key == NULL else key)
        for _ in range(self._fixed[7]):
            k, v = _PAIR.unpack_from(payload, at)
            at += 8
            name = payload[at : at + k].decode()
            at += k
            found[name] = payload[at : at + v].decode()
            at += v
        return found


def output(topic, key, value, properties, event_time):
    """One output of a KIND_OUTPUTS body."""
    name = topic.encode()
    parts = [
        _OUTPUT.pack(
            len(name),
            event_time,
            NULL if key is None else len(key),
            NULL if value is None else len(value),
            len(properties),
        ),
        name,
        key or b"",
        value or b"",
    ]
    for k, v in properties.items():
        k, v = str(k).encode(), str(v).encode()
        parts += (_PAIR.pack(len(k), len(v)), k, v)
    return b"".join(parts)


def outputs(encoded):
    """A KIND_OUTPUTS body of encoded outputs."""
    return _U32.pack(len(encoded)) + b"".join(encoded)


def results(batch_id, kinds, bodies, metrics):
    """A RESULTS payload."""
    n = len(kinds)
    parts = [_COUNTERS.pack(batch_id, n), bytes(kinds), struct.pack(">%dI" % n, *map(len, bodies))]
    parts += bodies
    parts.append(_U32.pack(len(metrics)))
    for name, values in sorted(metrics.items()):
        raw = name.encode()
        parts += (_PAIR.pack(len(raw), len(values)), raw, struct.pack(">%dd" % len(values), *values))
    return b"".join(parts)


def fit(kinds, bodies, limit):
    """Turns the results that do not fit a frame into failures: those messages are
    tried again in a smaller batch."""
    room = limit - (1 << 16) - 5 * len(kinds)
    for i, body in enumerate(bodies):
        room -= len(body)
        if room < 0 and kinds[i] != KIND_ERROR:
            room += len(body)
            kinds[i] = KIND_ERROR
            bodies[i] = (
                "a result of %d bytes passes the limit of %d bytes for the results of a batch" % (len(body), limit)
            ).encode()
