"""Pulsar's Context for Python functions, over frames."""

import importlib
import logging

from functionmesh import frames, serde

IDENTITY = "serde.IdentitySerDe"


class NotAvailable(NotImplementedError, AttributeError):
    """A method of Pulsar's Context that this runner does not offer; both, so that
    hasattr answers False."""


class MessageId(str):
    """The broker's id of a message, with the one method that functions call on it."""

    def serialize(self):
        return self.encode()


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
        self._metrics = Metrics()
        self._logger = logging.getLogger(start.get("name") or "function")
        self._serdes = {IDENTITY: serde.identity_encode, "": serde.identity_encode}
        self._payload = b""
        self._at = 0
        self._meta = None
        self._published = []

    # The worker's side.

    # The worker sets _payload once per batch, and _at and _meta (to None) per message.

    @property
    def _message(self):
        if self._meta is None:
            self._meta = frames.Meta(self._payload, self._at)
        return self._meta

    def _take_published(self):
        published, self._published = self._published, []
        return published

    # The current message.

    def get_message_id(self):
        return MessageId(self._message.id)

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

    def get_current_message_topic_name(self):
        return self._message.topic

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

    def record_metric(self, metric_name, metric_value):
        self._metrics.record(metric_name, metric_value)

    def get_metrics(self):
        out = {}
        for name, (count, total, low, high) in self._metrics.totals.items():
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
        for name, value in (("compression_type", compression_type), ("callback", callback)):
            if value is not None:
                raise NotAvailable("context.publish(%s=…) is not available" % name)
        conf = dict(message_conf or {})
        props = dict(conf.pop("properties", None) or {})
        props.update(properties or {})
        key = conf.pop("partition_key", None)
        event_time = int(conf.pop("event_timestamp", None) or 0)
        for name, value in conf.items():
            if value is not None:
                raise NotAvailable("context.publish(message_conf={%r: …}) is not available" % name)
        if isinstance(key, str):
            key = key.encode("utf-8", "surrogateescape")
        value = self._serializer(serde_class_name)(message)
        self._published.append(frames.output(topic_name, key, value, props, event_time))

    def _serializer(self, name):
        if name not in self._serdes:
            module, _, cls = name.rpartition(".")
            self._serdes[name] = getattr(importlib.import_module(module), cls)().serialize
        return self._serdes[name]

    # Refused by name.

    def _refuse(self, name, why):
        raise NotAvailable("context.%s is not available: %s" % (name, why))

    def ack(self, msgid, topic):
        self._refuse("ack", "the runner acknowledges; manual acknowledgement is not offered here")

    def _no_state(self, name):
        self._refuse(name, "function state is not offered here")

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
