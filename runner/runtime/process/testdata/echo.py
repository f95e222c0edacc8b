"""What benchmarks call."""


def plain(input):
    return input


def with_context(input, context):
    context.get_message_id()
    return input


def properties(input, context):
    context.get_message_properties()
    context.get_message_key()
    return input
