"""The loop: a batch in, its results out."""

import json
import logging
import mmap
import os
import sys
import threading
import traceback

from functionmesh import context as contexts
from functionmesh import frames, load, records, serde

IN_FD, OUT_FD, SHARED_FD = 3, 4, 5
SLOTS = 2
NULL = frames.NULL


def main(shim):
    """Serves until the runner ends the frames. Returns the exit code."""
    sys.path.append(shim)  # last: an installed pulsar client wins
    try:
        os.fstat(IN_FD)
        os.fstat(OUT_FD)
    except OSError:
        sys.stderr.write("This file is started by the runner, with frames on descriptors 3 and 4.\n")
        return 2
    os.set_inheritable(IN_FD, False)
    os.set_inheritable(OUT_FD, False)
    return Worker(IN_FD, OUT_FD).serve()


class Worker:
    """Speaks frames for one function."""

    def __init__(self, source, target):
        self.source = source
        self.target = target
        self.lock = threading.Lock()  # guards target: results and progress
        self.busy = None  # id of the batch at work
        self.index = 0
        self.limit = 64 << 20
        self.version = frames.MIN_PROTOCOL

    def serve(self):
        hello = {"min": frames.MIN_PROTOCOL, "max": frames.MAX_PROTOCOL, "sdk": frames.SDK, "language": "python"}
        self.send(frames.HELLO, json.dumps(hello).encode())
        first = frames.read_frame(self.source)
        if first is None:
            return 0
        kind, payload = first
        if kind != frames.START:
            raise frames.Malformed("frame type %d before start" % kind)
        try:
            self.start(json.loads(payload.decode()))
        except load.Failed as e:
            self.send(frames.FAILED, json.dumps({"reason": e.reason, "message": str(e)}).encode())
            return 1
        self.send(frames.READY, json.dumps({"values_only": not self.needs_metas, "shared": self.shared is not None}).encode())
        while True:
            got = frames.read_frame(self.source)
            if got is None or got[0] == frames.STOP:
                return 0
            payload, to = got[1], None
            if got[0] == frames.BATCH_AT and self.shared is not None:
                offset, length = frames.place(payload)
                payload, to = self.shared[offset : offset + length], len(self.shared) // 2 + offset
            elif got[0] != frames.BATCH:
                raise frames.Malformed("unexpected frame type %d" % got[0])
            batch = frames.Batch(payload, self.version)
            self.index, self.busy = 0, batch.id
            try:
                parts = self.run(batch)
            finally:
                self.busy = None
            self.answer(parts, to)

    def answer(self, parts, to):
        """Sends results, through shared memory where the batch came so and they fit."""
        if to is not None:
            data = b"".join(parts)
            if len(data) <= len(self.shared) // (2 * SLOTS):
                self.shared[to : to + len(data)] = data
                self.send_raw(frames.at(frames.RESULTS_AT, to, len(data)))
                return
            parts = [data]
        self.send_raw(frames.framed(frames.RESULTS, parts))

    def start(self, start):
        self.version = start.get("protocol") or frames.MIN_PROTOCOL
        self.shared = share(start.get("shared") or 0) if self.version > 1 else None
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
        logging.getLogger().setLevel(logging.INFO)
        self.records = None
        if start.get("log") and self.version > 1:
            self.records = records.Handler(self)
            logging.getLogger().addHandler(self.records)
        limits = start.get("limits") or {}
        self.limit = limits.get("max_frame_bytes") or self.limit
        # Inputs may differ in schema; the usual case of one schema skips the look-up.
        schemas = {t["topic"]: t.get("schema") or "" for t in start.get("inputs") or []}
        self.decoders = {topic: serde.decoder(schema) for topic, schema in schemas.items()}
        self.mixed = len(set(schemas.values())) > 1
        self.decode = serde.decoder(next(iter(schemas.values()), ""))
        self.encode = serde.encoder((start.get("output") or {}).get("schema") or "")
        self.call, self.takes_context = load.load(start["file"], start.get("class") or "")
        try:
            from pulsar import Context
        except Exception:  # an installed client that does not load must not stop a plain function
            Context = object
        self.context = contexts.make(Context, start)
        self.needs_metas = self.takes_context or self.mixed
        self.watch(limits.get("call_timeout_ms") or 0)

    def watch(self, limit_ms):
        """One thread reports progress while a time limit is set, and ends the process
        when the runner has died and user code never returns to read the end of file."""
        every = max(limit_ms / 4000.0, 0.01) if limit_ms else 1.0
        parent = os.getppid()
        wake = threading.Event()

        def loop():
            while not wake.wait(every):
                busy = self.busy
                try:
                    if limit_ms and busy is not None:
                        self.send_raw(frames.progress(busy, self.index))
                    if self.records is not None:
                        self.records.send()
                except OSError:
                    return
                if os.getppid() != parent:
                    os._exit(1)

        threading.Thread(target=loop, daemon=True, name="functionmesh").start()

    def run(self, batch):
        """Calls user code for each message and returns the parts of the RESULTS payload."""
        kinds, bodies = bytearray(batch.count), [b""] * batch.count
        if self.needs_metas:
            self.run_with_context(batch, kinds, bodies)
        else:
            self.run_plain(batch, kinds, bodies)
        if sum(map(len, bodies)) > self.limit >> 1:
            frames.fit(kinds, bodies, self.limit)
        parts = frames.results(batch.id, kinds, bodies, self.context._metrics.take())
        if self.version > 1:
            parts += frames.sections(self.context._take_acks(), [] if self.records is None else self.records.take())
        return parts

    def run_plain(self, batch, kinds, bodies):
        payload, at = batch.payload, batch.first_value
        call, decode, encode = self.call, self.decode, self.encode
        self.index = i = -1
        for length in batch.lengths:
            self.index = i = i + 1
            if length == NULL:
                value = None
            else:
                end = at + length
                value = payload[at:end]
                at = end
            try:
                if decode is not None and value is not None:
                    value = decode(value)
                out = call(value)
                if out is not None:
                    bodies[i] = out if type(out) is bytes else encode(out)
                    kinds[i] = 1
            except BaseException as e:  # sys.exit() in user code fails its message, not the worker
                kinds[i], bodies[i] = frames.KIND_ERROR, error_text(e)

    def run_with_context(self, batch, kinds, bodies):
        payload, at = batch.payload, batch.first_value
        context, call, encode = self.context, self.call, self.encode
        decode, takes_context, mixed = self.decode, self.takes_context, self.mixed
        context._metas = batch.metas
        for i, length in enumerate(batch.lengths):
            self.index = i
            value = None
            if length != NULL:
                value = payload[at : at + length]
                at += length
            context._index, context._meta = i, None
            try:
                if mixed:
                    decode = self.decoders.get(context._message.topic)
                if decode is not None and value is not None:
                    value = decode(value)
                out = call(value, context) if takes_context else call(value)
                if out is not None and type(out) is not bytes:
                    out = encode(out)
                if context._published:
                    kinds[i], bodies[i] = frames.KIND_OUTPUTS, self.published(out)
                elif out is not None:
                    kinds[i], bodies[i] = 1, out
            except BaseException as e:  # as in run_plain
                context._take_published()
                kinds[i], bodies[i] = frames.KIND_ERROR, error_text(e)

    def published(self, out):
        """The body of a result with what was published, and what was returned last."""
        encoded = self.context._take_published()
        if out is not None:
            meta = self.context._message
            encoded.append(frames.output("", meta.key, out, {}, meta.event_time))
        return frames.outputs(encoded)

    def send(self, kind, payload):
        self.send_raw(frames.frame(kind, payload))

    def send_raw(self, data):
        with self.lock:
            sent = os.write(self.target, data)
            while sent < len(data):
                sent += os.write(self.target, memoryview(data)[sent:])


def share(size):
    """The memory that the runner shares, None where it does not or that cannot be."""
    if not size:
        return None
    try:
        os.set_inheritable(SHARED_FD, False)
        return mmap.mmap(SHARED_FD, size)
    except (OSError, ValueError):
        return None


def error_text(e):
    """The end of a traceback, without the worker's own frames."""
    tb = e.__traceback__.tb_next if e.__traceback__ is not None else None
    text = "".join(traceback.format_exception(type(e), e, tb)).strip()
    return text.encode("utf-8", "replace")[-frames.MAX_ERROR_TEXT :]
