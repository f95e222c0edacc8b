"""Functions that Pulsar's own Python runtime and ours must run alike."""

import math

from pulsar import Function


def process(input):
    """The plain form: the class name is that of the module."""
    return "%s %s" % (type(input).__name__, input)


class Exclaim(Function):
    def process(self, input, context):
        return input + "!" if isinstance(input, str) else str(input) + "?"


class Kinds(Function):
    """What the default serialisation makes of bytes."""

    def process(self, input, context):
        return "%s %r" % (type(input).__name__, input)


class Numbers(Function):
    """Values of other types than text."""

    def process(self, input, context):
        if input == "bytes":
            return b"\xff\x00"
        if input == "nothing":
            return None
        return {"int": 7, "float": 1.5, "complex": 1 + 2j, "inf": math.inf}.get(input, "text")


class Facts(Function):
    """What of a message and of the function does not differ from run to run."""

    def process(self, input, context):
        identity = context.get_message_id()
        properties = context.get_message_properties()
        return "|".join(
            map(
                str,
                (
                    context.get_message_key(),
                    context.get_partition_key(),
                    context.get_message_eventtime(),
                    sorted(properties.items()),
                    context.get_current_message_topic_name(),
                    identity,
                    identity.serialize().hex(),
                    identity.ledger_id(),
                    identity.entry_id(),
                    identity.partition(),
                    identity.batch_index(),
                    context.get_message_sequence_id(),
                    context.get_message_partition_index(),
                    context.get_function_tenant(),
                    context.get_function_namespace(),
                    context.get_function_name(),
                    int(context.get_instance_id()),
                    context.get_input_topics(),
                    context.get_user_config_value("region"),
                    context.get_user_config_value("none"),
                    sorted(context.get_user_config_map().items()),
                ),
            )
        )


class Publish(Function):
    """Messages to a topic that the configuration names, and one that is returned."""

    def process(self, input, context):
        topic = context.get_user_config_value("side")
        context.publish(topic, input + "-1", properties={"a": "b"})
        conf = {"properties": {"c": "d"}, "partition_key": "key", "event_timestamp": 1700000000123}
        context.publish(topic, input + "-2", message_conf=conf)
        context.publish(topic, [1], serde_class_name="serde.PickleSerDe")
        return input
