"""Frames and their payloads; the layout is described in runner/runtime/frame."""

import os
import struct

MIN_PROTOCOL, MAX_PROTOCOL = 1, 2
SDK = "python/0.2.0"

HELLO, START, READY, FAILED, BATCH, RESULTS, STOP, PROGRESS, LOG, BATCH_AT, RESULTS_AT = range(1, 12)

NULL = 0xFFFFFFFF
KIND_NONE, KIND_VALUE, KIND_OUTPUTS, KIND_ERROR = range(4)

MAX_ERROR_TEXT = 4096

_HEAD = struct.Struct(">IB")
_COUNTERS = struct.Struct(">QI")
_META1 = struct.Struct(">IIqqIIII")
_META = struct.Struct(">IiIiiqqqqIIIII")  # topic, partition, redelivery, index, count, ledger, entry, …
_ACK = struct.Struct(">IBIiqqii")
_RECORD = struct.Struct(">BIqI")
HAS_METAS = 1
_OUTPUT = struct.Struct(">IqIII")
_PAIR = struct.Struct(">II")
_U32 = struct.Struct(">I")


class Malformed(Exception):
    """A frame or payload breaks the layout."""


def frame(kind, payload):
    """One frame as bytes."""
    return _HEAD.pack(len(payload) + 1, kind) + payload


def read_frame(fd):
    """The next (kind, payload) of a descriptor, or None at its end. There is no buffer in
    between: a payload is read to where it is used."""
    head = read(fd, 5)
    if not head:
        return None
    if len(head) < 5:
        raise Malformed("truncated frame header")
    size, kind = _HEAD.unpack(head)
    if size < 1:
        raise Malformed("frame of length 0")
    payload = read(fd, size - 1)
    if len(payload) < size - 1:
        raise Malformed("truncated frame")
    return kind, payload


def read(fd, size):
    """Size bytes, fewer at the end."""
    data = os.read(fd, size) if size else b""
    if len(data) == size or not data:
        return data
    parts, missing = [data], size - len(data)
    while missing:
        data = os.read(fd, missing)
        if not data:
            break
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def progress(batch_id, index):
    """A whole PROGRESS frame."""
    return frame(PROGRESS, _COUNTERS.pack(batch_id, index))


class Batch:
    """The columns of a BATCH payload: values are sliced by the caller, metas on demand."""

    __slots__ = ("id", "count", "lengths", "first_value", "metas", "payload")

    def __init__(self, payload, version):
        try:
            self.id, n = _COUNTERS.unpack_from(payload, 0)
            flags, at = HAS_METAS, 12
            if version > 1:
                flags, at = payload[12], 13
            self.lengths = struct.unpack_from(">%dI" % n, payload, at)
            self.count, self.payload = n, payload
            self.first_value = at + 4 * n * (2 if version == 1 else 1)
            end = self.first_value + sum(self.lengths)
            if end > len(payload):
                end -= NULL * self.lengths.count(NULL)
            if version == 1:
                self.metas = Metas1(payload, struct.unpack_from(">%dI" % n, payload, at + 4 * n), end)
            else:
                self.metas = Metas(payload, n, end) if flags & HAS_METAS else None
        except (struct.error, IndexError, UnicodeDecodeError) as e:
            raise Malformed(str(e))
        if self.metas is None and end != len(payload) or end > len(payload):
            raise Malformed("batch ends in the wrong place")


class Metas1:
    """What messages carry beside their values, in protocol 1."""

    __slots__ = ("_payload", "_places")

    def __init__(self, payload, sizes, at):
        self._payload, self._places = payload, []
        for size in sizes:
            self._places.append(at)
            at += size
        if at != len(payload):
            raise Malformed("batch ends in the wrong place")

    def __getitem__(self, index):
        payload, at = self._payload, self._places[index]
        partition, redelivery, event_time, publish_time, topic, identity, key, count = _META1.unpack_from(payload, at)
        at += _META1.size
        name = payload[at : at + topic].decode()
        at += topic
        text = payload[at : at + identity].decode()
        fixed = (0, partition, redelivery, 0, 0, -1, 0, event_time, publish_time, key, NULL, count)
        return Meta(payload, at + identity, fixed, (name,), text)


class Metas:
    """What messages carry beside their values."""

    __slots__ = ("_payload", "_topics", "_fixed", "_rest")

    def __init__(self, payload, n, at):
        self._payload, self._topics = payload, []
        (count,) = _U32.unpack_from(payload, at)
        at += 4
        for _ in range(count):
            (size,) = _U32.unpack_from(payload, at)
            self._topics.append(payload[at + 4 : at + 4 + size].decode())
            at += 4 + size
        self._fixed = at
        self._rest = at + n * FIXED
        if self._rest > len(payload):
            raise Malformed("batch ends in the wrong place")

    def __getitem__(self, index):
        f = _META.unpack_from(self._payload, self._fixed + FIXED * index)
        return Meta(self._payload, self._rest + f[12], f, self._topics, None)


FIXED = 72


class Meta:
    """What a message carries beside its value. Key, schema and properties are decoded
    when they are asked for."""

    __slots__ = ("_payload", "_at", "_fixed", "_topics", "_id")

    def __init__(self, payload, at, fixed, topics, identity):
        self._payload, self._at, self._fixed, self._topics, self._id = payload, at, fixed, topics, identity

    topic = property(lambda self: self._topics[self._fixed[0]])
    partition = property(lambda self: self._fixed[1])
    redelivery = property(lambda self: self._fixed[2])
    index = property(lambda self: self._fixed[3])
    count = property(lambda self: self._fixed[4])
    ledger = property(lambda self: self._fixed[5])
    entry = property(lambda self: self._fixed[6])
    event_time = property(lambda self: self._fixed[7])
    publish_time = property(lambda self: self._fixed[8])

    @property
    def id(self):
        """As the runner prints it: a number, or ledger:entry:partition and the index."""
        if self._id is not None:
            return self._id
        if self.ledger < 0:
            return str(self.entry)
        text = "%d:%d:%d" % (self.ledger, self.entry, self.partition)
        return text + ":%d" % self.index if self.count else text

    @property
    def key(self):
        size = self._fixed[9]
        return None if size == NULL else self._payload[self._at : self._at + size]

    @property
    def schema(self):
        at, size = self._at + self._sized(9), self._fixed[10]
        return None if size == NULL else self._payload[at : at + size]

    def _sized(self, field):
        size = self._fixed[field]
        return 0 if size == NULL else size

    @property
    def properties(self):
        payload, found = self._payload, {}
        at = self._at + self._sized(9) + self._sized(10)
        for _ in range(self._fixed[11]):
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


def ack(index, topic, partition, ledger, entry, batch_index, count, nack):
    """One acknowledgement by user code, during the message at index."""
    name = topic.encode()
    return _ACK.pack(index, 1 if nack else 0, len(name), partition, ledger, entry, batch_index, count) + name


def record(level, index, time_ms, text):
    """One record of a log."""
    raw = text.encode("utf-8", "replace")
    return _RECORD.pack(level, index, time_ms, len(raw)) + raw


def log(batch_id, records):
    """A whole LOG frame."""
    return frame(LOG, _COUNTERS.pack(batch_id, len(records)) + b"".join(records))


def place(payload):
    """Offset and length of a payload in shared memory."""
    if len(payload) != _PAIR.size:
        raise Malformed("place of %d bytes" % len(payload))
    return _PAIR.unpack(payload)


def at(kind, offset, length):
    """A whole frame that names a place."""
    return frame(kind, _PAIR.pack(offset, length))


def results(batch_id, kinds, bodies, metrics):
    """The parts of a RESULTS payload of protocol 1."""
    n = len(kinds)
    parts = [_COUNTERS.pack(batch_id, n), bytes(kinds), struct.pack(">%dI" % n, *map(len, bodies))]
    parts += bodies
    parts.append(_U32.pack(len(metrics)))
    for name, values in sorted(metrics.items()):
        raw = name.encode()
        parts += (_PAIR.pack(len(raw), len(values)), raw, struct.pack(">%dd" % len(values), *values))
    return parts


def sections(acks, records):
    """The parts that protocol 2 adds to a RESULTS payload."""
    return [_U32.pack(len(acks))] + acks + [_U32.pack(len(records))] + records


def framed(kind, parts):
    """A frame of a payload in parts, joined once."""
    return b"".join([_HEAD.pack(sum(map(len, parts)) + 1, kind)] + parts)


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
