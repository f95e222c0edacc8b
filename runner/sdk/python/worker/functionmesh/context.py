"""Pulsar's Context for Python functions, over frames."""

import importlib
import logging
import threading

from functionmesh import frames, serde

IDENTITY = "serde.IdentitySerDe"


class NotAvailable(NotImplementedError, AttributeError):
    """A method of Pulsar's Context that this runner does not offer; both, so that
    hasattr answers False."""


class MessageId:
    """What Pulsar's client calls a message id: its parts, its text, and its bytes."""

    __slots__ = ("_meta",)

    def __init__(self, meta):
        self._meta = meta

    def ledger_id(self):
        return self._meta.ledger

    def entry_id(self):
        return self._meta.entry

    def partition(self):
        return self._meta.partition

    def batch_index(self):
        return self._meta.index if self._meta.count else -1

    def serialize(self):
        """As Pulsar's clients do, so that MessageId.deserialize reads it; where the
        broker is not a Pulsar, the text."""
        m = self._meta
        if m.ledger < 0:
            return m.id.encode()
        out = b"\x08" + _varint(m.ledger) + b"\x10" + _varint(m.entry)
        if m.partition >= 0:
            out += b"\x18" + _varint(m.partition)
        if m.count:
            out += b"\x20" + _varint(m.index) + b"\x30" + _varint(m.count)
        return out

    def __str__(self):
        m = self._meta
        if m.ledger < 0:
            return m.id
        return "(%d,%d,%d,%d)" % (m.ledger, m.entry, m.partition, self.batch_index())

    __repr__ = __str__

    def _place(self):
        m = self._meta
        return (m.topic, m.ledger, m.entry, m.partition, self.batch_index())

    def __eq__(self, other):
        return isinstance(other, MessageId) and self._place() == other._place()

    def __hash__(self):
        return hash(self._place())

    def __lt__(self, other):
        return self._place() < other._place()

    def __le__(self, other):
        return self._place() <= other._place()


def _varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


class Metrics:
    """Observations since the last batch, and totals since the start."""

    def __init__(self):
        self.fresh = {}
        self.totals = {}

    def record(self, name, value):
        value = float(value)
        self.fresh.setdefault(name, []).append(value)
        t = self.totals.get(name)
        if t is None:
            self.totals[name] = [1, value, value, value]
            return
        t[0] += 1
        t[1] += value
        t[2] = min(t[2], value)
        t[3] = max(t[3], value)

    def take(self):
        fresh, self.fresh = self.fresh, {}
        return fresh


def make(base, start):
    """An instance of Context below the given base class, so that isinstance holds with
    an installed client as well as with the stand-in."""
    return type("Context", (ContextImpl, base), {})(start)


class ContextImpl:
    """One object for the life of the worker; the worker points it at each message."""

    def __init__(self, start):
        self._start = start
        self._partitioned = {t["topic"] for t in start.get("inputs") or [] if t.get("partitions")}
        self._metrics = Metrics()
        self._logger = logging.getLogger(start.get("name") or "function")
        self._serdes = {IDENTITY: serde.identity_encode, "": serde.identity_encode}
        self._metas = ()
        self._index = 0
        self._meta = None
        self._published = []
        self._acks = []
        self._acking = threading.Lock()  # user code may acknowledge from a thread of its own

    # The worker's side.

    # The worker sets _metas once per batch, and _index and _meta (to None) per message.

    @property
    def _message(self):
        return self._meta or self._decode()

    def _decode(self):
        self._meta = self._metas[self._index]
        return self._meta

    def _take_published(self):
        published, self._published = self._published, []
        return published

    def _take_acks(self):
        with self._acking:
            # What is said from here on belongs to the first message of the next batch.
            acks, self._acks, self._index = self._acks, [], 0
        return acks

    # The current message.

    def get_message_id(self):
        return MessageId(self._meta or self._decode())

    def get_message_sequence_id(self):
        """As Pulsar numbers messages: ledger and entry in one number, whatever the index."""
        m = self._message
        return m.entry if m.ledger < 0 else m.ledger << 28 | m.entry

    def get_message_partition_index(self):
        return self._message.partition

    def get_message_publish_time(self):
        return self._message.publish_time

    def get_message_schema_version(self):
        """The version of the value's schema as bytes, None where it has none."""
        return self._message.schema

    def get_traceparent(self):
        """The W3C trace context that the message came with, None for none. What is returned
        or published carries it on, unless it sets one of its own."""
        return self._message.properties.get("traceparent")

    def get_message_key(self):
        key = self._message.key
        return "" if key is None else key.decode("utf-8", "surrogateescape")

    def get_partition_key(self):
        return self.get_message_key()

    def get_message_eventtime(self):
        return self._message.event_time

    def get_message_properties(self):
        return self._message.properties

    def get_message_redelivery_count(self):
        return self._message.redelivery

    def get_ordering_key(self):
        self._refuse("get_ordering_key", "ordering keys are not carried; use get_partition_key")

    def get_current_message_topic_name(self):
        """Of a partitioned topic the name of the partition, as in Pulsar's own runtime."""
        m = self._message
        if m.partition >= 0 and m.topic in self._partitioned:
            return "%s-partition-%d" % (m.topic, m.partition)
        return m.topic

    # The function.

    def get_function_name(self):
        return self._start.get("name", "")

    def get_function_tenant(self):
        return self._start.get("tenant", "")

    def get_function_namespace(self):
        return self._start.get("namespace", "")

    def get_function_id(self):
        return "/".join((self.get_function_tenant(), self.get_function_namespace(), self.get_function_name()))

    def get_function_version(self):
        return self._start.get("version", "")

    def get_instance_id(self):
        return self._start.get("instance_id", 0)

    def get_num_instances(self):
        return self._start.get("parallelism", 1)

    def get_input_topics(self):
        return [t["topic"] for t in self._start.get("inputs") or []]

    def get_output_topic(self):
        return (self._start.get("output") or {}).get("topic", "")

    def get_output_serde_class_name(self):
        return IDENTITY

    def get_logger(self):
        return self._logger

    def get_user_config_value(self, key):
        return self.get_user_config_map().get(key)

    def get_user_config_map(self):
        return self._start.get("user_config") or {}

    def get_secret(self, secret_name):
        return (self._start.get("secrets") or {}).get(secret_name)

    # What a function does beside returning a value.

    def ack(self, msgid, topic):
        """Acknowledges a message of this call or an earlier one, with the guarantee manual.
        It takes effect with the results of the batch at work."""
        self._settle("ack", msgid, topic, False)

    def nack(self, msgid, topic):
        """Hands a message back, to be delivered again. Pulsar's own runtime has no such
        method: there only an exception does."""
        self._settle("nack", msgid, topic, True)

    def _settle(self, name, msgid, topic, nack):
        if not self._start.get("manual"):
            self._refuse(name, "the runner acknowledges, unless the function's guarantee is manual")
        if not isinstance(msgid, MessageId):
            raise TypeError("context.%s takes what context.get_message_id returned, not %s" % (name, type(msgid).__name__))
        m = msgid._meta
        if topic not in (m.topic, "%s-partition-%d" % (m.topic, m.partition)):
            raise ValueError("Invalid topicname %s" % topic)
        with self._acking:  # they travel in the order of the messages at work
            self._acks.append(frames.ack(self._index, m.topic, m.partition, m.ledger, m.entry, m.index, m.count, nack))

    def record_metric(self, metric_name, metric_value):
        self._metrics.record(metric_name, metric_value)

    def get_metrics(self):
        out = {}
        for name, (count, total, low, high) in self._metrics.totals.items():
            name = "user_metric_" + name
            out[name + "_count"], out[name + "_sum"], out[name + "_min"], out[name + "_max"] = count, total, low, high
        return out

    def publish(
        self,
        topic_name,
        message,
        serde_class_name=IDENTITY,
        properties=None,
        compression_type=None,
        callback=None,
        message_conf=None,
    ):
        """Queues a message that is published, and confirmed, together with this call's
        result: before the input is acknowledged."""
        if compression_type is not None and str(compression_type).rpartition(".")[2] != "NONE":
            raise NotAvailable(
                "context.publish(compression_type=…) is not available: set the compression of the function's producer"
            )
        if callback is not None:
            raise NotAvailable(
                "context.publish(callback=…) is not available: what is published is confirmed before the input is"
                " acknowledged, and a failure makes the runner try again"
            )
        conf = dict(message_conf or {})
        props = dict(conf.pop("properties", None) or {})
        props.update(properties or {})
        key = conf.pop("partition_key", None)
        event_time = int(conf.pop("event_timestamp", None) or 0)
        for name, value in conf.items():
            if value is not None:
                raise NotAvailable("context.publish(message_conf={%r: …}) is not available: the runner sets it" % name)
        if isinstance(key, str):
            key = key.encode("utf-8", "surrogateescape")
        value = self._serializer(serde_class_name)(message)
        self._published.append(frames.output(topic_name, key, value, props, event_time))

    def _serializer(self, name):
        if name not in self._serdes:
            module, _, cls = name.rpartition(".")
            if module == "serde":  # as Pulsar's own runtime names its serialisation classes
                module = "pulsar.functions.serde"
            self._serdes[name] = getattr(importlib.import_module(module), cls)().serialize
        return self._serdes[name]

    # Refused by name.

    def _refuse(self, name, why):
        raise NotAvailable("context.%s is not available: %s" % (name, why))

    def _no_state(self, name):
        self._refuse(name, "function state is not offered; keep it in a topic or in a store of your own")

    def incr_counter(self, key, amount):
        self._no_state("incr_counter")

    def get_counter(self, key):
        self._no_state("get_counter")

    def del_counter(self, key):
        self._no_state("del_counter")

    def put_state(self, key, value):
        self._no_state("put_state")

    def get_state(self, key):
        self._no_state("get_state")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotAvailable("context.%s is not available on this runner" % name)
