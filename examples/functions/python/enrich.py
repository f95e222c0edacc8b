"""Adds the region of its user_config to JSON orders. Written for Pulsar Functions:
orders without an id go to a topic of their own."""

import json

from pulsar import Function


class Enrich(Function):
    def process(self, input, context):
        order = json.loads(input)
        if "id" not in order:
            context.get_logger().warning("order %s has no id", context.get_message_id())
            context.publish(context.get_user_config_value("rejected") or "rejected", input)
            return None
        order["region"] = context.get_user_config_value("region") or "unknown"
        context.record_metric("orders", 1)
        return json.dumps(order)
