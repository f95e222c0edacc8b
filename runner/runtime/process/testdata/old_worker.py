#!/usr/bin/env python3
"""A worker that speaks protocol 1 only, as one that was built before there was another."""

import json
import os
import struct


def read():
    size, kind = struct.unpack(">IB", os.read(3, 5))
    payload = b""
    while len(payload) < size - 1:
        payload += os.read(3, size - 1 - len(payload))
    return kind, payload


def write(kind, payload):
    os.write(4, struct.pack(">IB", len(payload) + 1, kind) + payload)


write(1, json.dumps({"min": 1, "max": 1, "sdk": "old/0", "language": "python"}).encode())
kind, start = read()
assert kind == 2 and json.loads(start)["protocol"] == 1, start
write(3, b"{}")
while True:
    kind, batch = read()
    if kind != 5:
        break
    identity, n = struct.unpack_from(">QI", batch)
    lengths = struct.unpack_from(">%dI" % n, batch, 12)
    metas = struct.unpack_from(">%dI" % n, batch, 12 + 4 * n)
    body = batch[12 + 8 * n : 12 + 8 * n + sum(lengths)]
    assert 12 + 8 * n + sum(lengths) + sum(metas) == len(batch)
    write(6, batch[:12] + b"\1" * n + struct.pack(">%dI" % n, *lengths) + body + struct.pack(">I", 0))
