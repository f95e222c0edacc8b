"""The function of runner/sdk/go/internal/tell, in Python."""

import json

from pulsar import Function


class Tell(Function):
    def process(self, input, context):
        if context.get_user_config_value("by_hand"):
            return by_hand(input, context)
        again = context.get_message_redelivery_count()
        if input == "again" and again == 0:
            raise ValueError("asked to fail once")
        context.get_logger().info("told %s", input)
        context.record_metric("told", 2.5)
        context.publish(
            context.get_user_config_value("side"), input, message_conf={"partition_key": "side", "properties": {"a": "b"}}
        )
        told = {
            "value": input,
            "key": context.get_message_key(),
            "properties": context.get_message_properties(),
            "event": context.get_message_eventtime(),
            "published": context.get_message_publish_time(),
            "topic": context.get_current_message_topic_name(),
            "partition": context.get_message_partition_index(),
            "id": context.get_message_id().serialize().hex(),
            "redelivery": again,
            "schema": context.get_message_schema_version().hex(),
            "trace": context.get_traceparent(),
            "function": context.get_function_id(),
            "output": context.get_output_topic(),
            "instance": int(context.get_instance_id()),
            "instances": context.get_num_instances(),
            "input": context.get_input_topics()[0],
            "region": context.get_user_config_value("region"),
            "secret": context.get_secret("KEY"),
        }
        return json.dumps(told)


def by_hand(input, context):
    identity, topic = context.get_message_id(), context.get_current_message_topic_name()
    if input == "back" and context.get_message_redelivery_count() == 0:
        context.nack(identity, topic)
        return None
    if input != "leave":
        context.ack(identity, topic)
    return input
