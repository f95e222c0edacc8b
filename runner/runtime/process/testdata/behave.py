"""What the conformance suite calls, written against Pulsar's interface."""

import os
import sys
import time

from pulsar import Function

print("behave was loaded")


class Behave(Function):
    def process(self, input, context):
        if input.startswith(b"pid:"):
            with open(input[4:], "w") as f:
                f.write(str(os.getpid()))
            while True:
                pass
        if input.startswith(b"fork:"):
            self.fork(input[5:])
        if input.startswith(b"flood:"):
            line = "x" * 1023
            for _ in range(int(input[6:]) >> 10):
                print(line)
            return b"printed"
        if input == b"memory":
            hoard = []
            while True:
                hoard.append(bytearray(1 << 20))
        if input == b"fail":
            raise ValueError("asked to fail")
        if input == b"none":
            return None
        if input == b"two":
            for name in ("two-1", "two-2"):
                context.publish("", name)
            return None
        if input == b"loop":
            while True:
                pass
        if input == b"sleep":
            time.sleep(3600)
        if input == b"exit":
            os._exit(3)
        if input == b"sys.exit":
            sys.exit(3)
        if input == b"huge":
            return b"x" * (80 << 20)
        if input == b"context":
            return self.facts(context)
        if input == b"state":
            return context.get_state("a")
        if input == b"log":
            context.get_logger().warning("a word for the log")
            print("a line for the log")
            return None
        if input == b"publish":
            context.publish("elsewhere", "there", properties={"a": "b"})
            return b"here"
        return input

    def fork(self, file):
        with open(file, "w") as f:
            f.write(str(os.getpid()))
        while True:
            if os.fork() == 0:
                time.sleep(3600)
            time.sleep(0.005)

    def facts(self, context):
        context.record_metric("seen", 2.5)
        return (
            "%s/%s/%s %d/%d %s %s %s %s %s %d"
            % (
                context.get_function_tenant(),
                context.get_function_namespace(),
                context.get_function_name(),
                context.get_instance_id(),
                context.get_num_instances(),
                context.get_input_topics()[0],
                context.get_output_topic(),
                context.get_user_config_value("region"),
                context.get_secret("token"),
                context.get_message_id(),
                context.get_message_redelivery_count(),
            )
        ).encode()
