"""Tests of the Python side; the golden files are those of the Go codecs."""

import io
import json
import logging
import math
import os
import sys
import tempfile
import textwrap
import threading
import unittest
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "worker"))
sys.path.append(os.path.join(HERE, "..", "shim"))
GOLDEN = os.path.join(HERE, "..", "..", "..", "runtime", "process", "testdata")

from functionmesh import context, frames, load, records, serde, worker  # noqa: E402


def golden(name):
    with open(os.path.join(GOLDEN, name), "rb") as f:
        return f.read()


class Codec(unittest.TestCase):
    def values(self, batch):
        values, at = [], batch.first_value
        for length in batch.lengths:
            if length == frames.NULL:
                values.append(None)
                continue
            values.append(batch.payload[at : at + length])
            at += length
        return values

    def test_batches_are_golden(self):
        for name, version, ids in (
            ("batch1.bin", 1, ["12:5:3", "12:6:0", "12:7:0", "12:8:0"]),
            ("batch2.bin", 2, ["12:5:3:1", "12:6:-1", "77", "12:8:0"]),
        ):
            with self.subTest(name=name):
                batch = frames.Batch(golden(name), version)
                self.assertEqual((batch.id, batch.count), (7, 4))
                self.assertEqual(self.values(batch), ["päyload".encode(), None, b"", b"\xff\x00"])
                metas = [batch.metas[i] for i in range(4)]
                self.assertEqual([m.id for m in metas], ids)
                self.assertEqual([m.key for m in metas], [b"k\0", None, b"", None])
                self.assertEqual([m.event_time for m in metas], [1700000000123, -1, 0, 0])
                self.assertEqual([m.schema for m in metas], [None] * 4 if version == 1 else [b"\0\t", None, b"", None])
                first = metas[0]
                self.assertEqual(
                    (first.topic, first.partition, first.redelivery, first.publish_time, first.properties),
                    ("persistent://public/default/orders", 3, 2, 1700000000456, {"trace": "äb"}),
                )

    def test_values_are_golden(self):
        batch = frames.Batch(golden("values2.bin"), 2)
        self.assertEqual(self.values(batch), ["päyload".encode(), None, b"", b"\xff\x00"])
        self.assertIsNone(batch.metas)

    def test_results_are_golden(self):
        outputs = frames.outputs(
            [
                frames.output("elsewhere", b"key", None, {"a": "ä"}, -5),
                frames.output("", None, b"", {}, 0),
            ]
        )
        parts = frames.results(
            7,
            bytearray([frames.KIND_VALUE, frames.KIND_NONE, frames.KIND_OUTPUTS, frames.KIND_ERROR]),
            ["päyload!".encode(), b"", outputs, "no: ä".encode()],
            {"ö": [-2.0], "a": [1.5, math.inf]},
        )
        self.assertEqual(b"".join(parts), golden("results1.bin"))
        topic = "persistent://public/default/"
        acks = [
            b"\x00\x00\x00\x00\x02",  # as Go says that the message at work is done itself
            frames.ack(2, topic + "orders", 3, 12, 5, 1, 4, False),
            frames.ack(3, topic + "other", -1, 12, 6, 0, 0, True),
            frames.ack(3, topic + "orders", 0, -1, 77, 0, 0, False),
        ]
        logs = [frames.record(records.level(30), 0, 1700000000789, "wärn"), frames.record(records.level(20), frames.NULL, 0, "")]
        parts += frames.sections(acks, logs)
        self.assertEqual(b"".join(parts), golden("results2.bin"))
        self.assertEqual(frames.framed(frames.RESULTS, parts), frames.frame(frames.RESULTS, b"".join(parts)))

    def test_log_is_golden(self):
        logs = [frames.record(records.level(40), 0, 1700000000789, "ö"), frames.record(records.level(5), frames.NULL, 1, "none")]
        self.assertEqual(frames.log(7, logs), frames.frame(frames.LOG, golden("log2.bin")))

    def test_malformed_batches(self):
        for name, version in (("batch1.bin", 1), ("values2.bin", 2)):
            good = golden(name)
            for cut in (0, 8, 11, 12, 13, 20, len(good) - 1):
                with self.subTest(name=name, cut=cut), self.assertRaises(frames.Malformed):
                    frames.Batch(good[:cut], version)
        good = golden("batch2.bin")
        for cut in (0, 12, 13, 40, 100, 200):
            with self.subTest(cut=cut), self.assertRaises(frames.Malformed):
                frames.Batch(good[:cut], 2)

    def test_malformed_frames(self):
        for stream in (b"\0", b"\0\0\0\0\5", b"\0\0\0\5\5ab", b""):
            reading, writing = os.pipe()
            os.write(writing, stream)
            os.close(writing)
            with self.subTest(stream=stream):
                if stream:
                    with self.assertRaises(frames.Malformed):
                        frames.read_frame(reading)
                else:
                    self.assertIsNone(frames.read_frame(reading))
            os.close(reading)

    def test_huge_results_fail_alone(self):
        kinds, bodies = bytearray([1, 1, 1]), [b"small", b"x" * 300000, b"small"]
        frames.fit(kinds, bodies, 200000)
        self.assertEqual(list(kinds), [1, frames.KIND_ERROR, 1])


class Serde(unittest.TestCase):
    def test_identity_is_pulsars(self):
        def reference(data):
            for kind in (int, float, complex, str):
                try:
                    return kind(data.decode("utf-8"))
                except Exception:
                    pass
            return data

        texts = "0|42|-7|+1| 12 |1_000|1.5|1e3|.5|inf|nan|Infinity|NaN|1+2j|j|(1)|text|Text|in|true||-|é|１２|\t3\n|0x10"
        for data in [t.encode() for t in texts.split("|")] + [b"\xff\xfe", b"\x00"]:
            with self.subTest(data=data):
                self.assertEqual(repr(serde.identity_decode(data)), repr(reference(data)))

    def test_encoders(self):
        self.assertEqual(serde.encoder("")(1.5), b"1.5")
        self.assertEqual(serde.encoder("")("é"), "é".encode())
        self.assertEqual(serde.encoder("json")({"a": "é"}), '{"a":"é"}'.encode())
        self.assertEqual(serde.encoder("bytes")(bytearray(b"a")), b"a")
        for schema, value in (("", {}), ("bytes", "a"), ("string", 1), ("json", object())):
            with self.subTest(schema=schema), self.assertRaises(TypeError):
                serde.encoder(schema)(value)

    def test_decoders(self):
        self.assertIsNone(serde.decoder("bytes"))
        self.assertEqual(serde.decoder("string")(b"12"), "12")
        self.assertEqual(serde.decoder("json")(b'{"a":1}'), {"a": 1})


class Loading(unittest.TestCase):
    """Each case writes a file and names what to run."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        path, modules, cwd = list(sys.path), set(sys.modules), os.getcwd()
        os.chdir(self.folder)

        def restore():
            os.chdir(cwd)
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                del sys.modules[name]

        self.addCleanup(restore)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(textwrap.dedent(text))
        return path

    def archive(self, name, files):
        path = os.path.join(self.folder, name)
        with zipfile.ZipFile(path, "w") as z:
            for member, data in files.items():
                z.writestr(member, data)
        return path

    def test_forms(self):
        text = """
            from pulsar import Function

            class Exclaim(Function):
                def process(self, input, context):
                    return "class"

            def plain(input):
                return "plain"

            def with_context(input, context):
                return "with_context"

            def optional(input, context=None):
                return "optional"

            def process(input):
                return "module"
        """
        path = self.write("code.py", text)
        for name, want, takes in (
            ("code.Exclaim", "class", True),
            ("Exclaim", "class", True),
            ("other.Exclaim", "class", True),
            ("code.plain", "plain", False),
            ("plain", "plain", False),
            ("with_context", "with_context", True),
            ("optional", "optional", True),
            ("code", "module", False),
        ):
            with self.subTest(name=name):
                call, takes_context = load.load(path, name)
                self.assertEqual((call("x", None) if takes else call("x"), takes_context), (want, takes))

    def test_the_only_one_needs_no_name(self):
        path = self.write("0123abc", "class A:\n    def process(self, input, context):\n        return 'only'\n")
        self.assertEqual(load.load(path, "")[0]("x", None), "only")

    def test_neighbours_are_imported(self):
        self.write("neighbour.py", "WORD = 'near'")
        path = self.write("main_code.py", "import neighbour\ndef f(input):\n    return neighbour.WORD\n")
        self.assertEqual(load.load(path, "f")[0]("x"), "near")

    def test_archives(self):
        dep = io.BytesIO()
        with zipfile.ZipFile(dep, "w") as z:
            z.writestr("dependency.py", "WORD = 'dep'")
        code = "import dependency, os\ndef f(input):\n    return dependency.WORD + open(os.path.join(os.path.dirname(__file__), 'data')).read()\n"
        path = self.archive("app.zip", {"app/src/app_code.py": code, "app/src/data": "!", "app/deps/dependency-1-py3-none-any.whl": dep.getvalue()})
        self.assertEqual(load.load(path, "app_code.f")[0]("x"), "dep!")
        path = self.archive("w-1-py3-none-any.whl", {"wheel_pkg/__init__.py": "", "wheel_pkg/m.py": "class C:\n    def process(self, i, c):\n        return 'wheel'\n"})
        self.assertEqual(load.load(path, "wheel_pkg.m.C")[0]("x", None), "wheel")

    def test_failures(self):
        path = self.write("code.py", "class A:\n    pass\nasync def co(input):\n    pass\ndef three(a, b, c):\n    pass\ndef none():\n    pass\n")
        broken = self.write("broken.py", "def f(:\n")
        raising = self.write("raising.py", "raise SystemExit(3)\n")
        missing = self.write("missing.py", "import no_such_package_here\n")
        empty = self.write("empty.py", "")
        two = self.write("two.py", "def a(i): pass\ndef b(i): pass\n")
        archive = self.archive("a.zip", {"m.py": "def f(i): pass"})
        for file, name, reason in (
            (path, "code.B", "ClassNotFound"),
            (path, "code.A", "InvalidCode"),
            (path, "code.co", "InvalidCode"),
            (path, "code.three", "InvalidCode"),
            (path, "code.none", "InvalidCode"),
            (broken, "f", "InvalidCode"),
            (raising, "f", "InvalidCode"),
            (missing, "f", "InvalidCode"),
            (empty, "", "ClassNotFound"),
            (two, "", "ClassNotFound"),
            (archive, "", "ClassNotFound"),
            (archive, "m.g", "ClassNotFound"),
            (archive, "n.f", "ClassNotFound"),
            (archive, "n", "ClassNotFound"),
        ):
            with self.subTest(file=os.path.basename(file), name=name):
                with self.assertRaises(load.Failed) as caught:
                    load.load(file, name)
                self.assertEqual(caught.exception.reason, reason, str(caught.exception))


class Contexts(unittest.TestCase):
    def setUp(self):
        from pulsar import Context

        self.start = json.loads(golden("start.json").decode())
        self.context = context.make(Context, self.start)
        self.context._metas = frames.Batch(golden("batch2.bin"), 2).metas
        self.base = Context

    def at(self, index):
        self.context._index, self.context._meta = index, None
        return self.context

    def test_facts(self):
        c = self.context
        self.assertIsInstance(c, self.base)
        self.assertEqual(
            (c.get_function_tenant(), c.get_function_namespace(), c.get_function_name(), c.get_function_id()),
            ("acme", "shop", "enrich", "acme/shop/enrich"),
        )
        self.assertEqual((c.get_instance_id(), c.get_num_instances(), c.get_function_version()), (1, 3, "abc"))
        self.assertEqual(c.get_input_topics(), ["persistent://acme/shop/orders"])
        self.assertEqual(c.get_output_topic(), "persistent://acme/shop/enriched")
        self.assertEqual((c.get_user_config_value("region"), c.get_user_config_value("none")), ("eu", None))
        self.assertEqual(c.get_user_config_map(), {"region": "eu"})
        self.assertEqual((c.get_secret("token"), c.get_secret("none")), ("s3cret", None))

    def test_message(self):
        c = self.context
        self.assertEqual((c.get_message_key(), c.get_partition_key()), ("k\0", "k\0"))
        self.assertEqual((c.get_message_eventtime(), c.get_message_redelivery_count()), (1700000000123, 2))
        self.assertEqual((c.get_message_publish_time(), c.get_message_schema_version()), (1700000000456, b"\0\t"))
        self.assertEqual((c.get_message_partition_index(), c.get_message_sequence_id()), (3, 12 << 28 | 5))
        self.assertEqual(c.get_message_properties(), {"trace": "äb"})
        self.assertEqual(c.get_current_message_topic_name(), "persistent://public/default/orders")
        self.assertIsNone(c.get_traceparent())
        c._partitioned = {"persistent://public/default/orders"}
        self.assertEqual(c.get_current_message_topic_name(), "persistent://public/default/orders-partition-3")
        self.assertEqual(self.at(1).get_current_message_topic_name(), "persistent://public/default/other")

    def test_message_ids_are_pulsars(self):
        first, second, third = (self.at(i).get_message_id() for i in range(3))
        self.assertEqual((str(first), first.serialize().hex()), ("(12,5,3,1)", "080c1005180320013004"))
        self.assertEqual((str(second), second.serialize().hex()), ("(12,6,-1,-1)", "080c1006"))
        self.assertEqual((str(third), third.serialize()), ("77", b"77"))
        self.assertEqual((first.ledger_id(), first.entry_id(), first.partition(), first.batch_index()), (12, 5, 3, 1))
        self.assertEqual(first, self.at(0).get_message_id())
        self.assertEqual(len({first, second, self.at(0).get_message_id()}), 2)

    def test_acks(self):
        topic = "persistent://public/default/orders"
        kept = self.at(0).get_message_id()
        c = self.at(2)
        c.ack(kept, topic)
        c.ack(kept, topic + "-partition-3")
        c.nack(c.get_message_id(), topic)
        want = [frames.ack(2, topic, 3, 12, 5, 1, 4, False)] * 2 + [frames.ack(2, topic, 0, -1, 77, 0, 0, True)]
        self.assertEqual((c._take_acks(), c._take_acks()), (want, []))
        c.ack(kept, topic)  # from a thread, between two batches: none of the next is at work
        self.assertEqual(c._take_acks(), [frames.ack(0, topic, 3, 12, 5, 1, 4, False)])
        with self.assertRaises(ValueError):
            c.ack(kept, "other")
        with self.assertRaises(TypeError):
            c.ack("12:5", topic)
        self.start["manual"] = False
        with self.assertRaisesRegex(NotImplementedError, "manual"):
            c.ack(kept, topic)

    def test_publish(self):
        c = self.context
        c.publish("a", 5, properties={"p": "q"})
        c.publish("b", "x", message_conf={"partition_key": "k", "event_timestamp": 9, "properties": {"r": "s"}})
        c.publish("c", [1], serde_class_name="serde.PickleSerDe")
        got = c._take_published()
        self.assertEqual(got[0], frames.output("a", None, b"5", {"p": "q"}, 0))
        self.assertEqual(got[1], frames.output("b", b"k", b"x", {"r": "s"}, 9))
        self.assertEqual(len(got), 3)

    def test_what_is_not_there_is_refused_by_name(self):
        c = self.context
        for name, call in {
            "put_state": lambda: c.put_state("a", "b"),
            "get_state": lambda: c.get_state("a"),
            "incr_counter": lambda: c.incr_counter("a", 1),
            "get_counter": lambda: c.get_counter("a"),
            "del_counter": lambda: c.del_counter("a"),
            "get_ordering_key": lambda: c.get_ordering_key(),
            "callback": lambda: c.publish("a", "b", callback=print),
            "compression_type": lambda: c.publish("a", "b", compression_type=1),
            "sequence_id": lambda: c.publish("a", "b", message_conf={"sequence_id": 1}),
            "get_pulsar_client": lambda: c.get_pulsar_client(),
        }.items():
            with self.subTest(name=name):
                with self.assertRaises(NotImplementedError) as caught:
                    call()
                self.assertIn(name, str(caught.exception))
        self.assertFalse(hasattr(c, "get_pulsar_admin"))

    def test_metrics(self):
        c = self.context
        c.record_metric("m", 1)
        c.record_metric("m", 3)
        self.assertEqual(c._metrics.take(), {"m": [1.0, 3.0]})
        self.assertEqual(c._metrics.take(), {})
        self.assertEqual(c.get_metrics(), {"user_metric_m_" + k: v for k, v in (("count", 2), ("sum", 4.0), ("min", 1.0), ("max", 3.0))})


class Shim(unittest.TestCase):
    def test_what_functions_import(self):
        import pulsar
        from pulsar.functions.context import Context
        from pulsar.functions.function import Function
        from pulsar.functions.serde import IdentitySerDe, PickleSerDe, SerDe

        self.assertIs(pulsar.Function, Function)
        self.assertIs(pulsar.Context, Context)
        self.assertTrue(issubclass(PickleSerDe, SerDe))
        self.assertEqual(PickleSerDe().deserialize(PickleSerDe().serialize([1])), [1])
        self.assertEqual(IdentitySerDe().deserialize(b"5"), 5)
        with self.assertRaisesRegex(AttributeError, "pulsar-client"):
            pulsar.Client


class Sessions(unittest.TestCase):
    """A worker against pipes, as the runner holds them."""

    def session(self, start, *batches):
        to_worker, theirs = os.pipe()
        ours, from_worker = os.pipe()
        w = worker.Worker(to_worker, from_worker)
        done = []
        thread = threading.Thread(target=lambda: done.append(w.serve()))
        thread.start()
        try:
            self.assertEqual(frames.read_frame(ours)[0], frames.HELLO)
            os.write(theirs, frames.frame(frames.START, json.dumps(start).encode()))
            answers = [frames.read_frame(ours)]
            if answers[0][0] == frames.READY:
                for b in batches:
                    os.write(theirs, frames.frame(frames.BATCH, b))
                    answers.append(frames.read_frame(ours))
        finally:
            os.close(theirs)
            thread.join()
            for fd in (ours, to_worker, from_worker):
                os.close(fd)
            if getattr(w, "records", None) is not None:
                logging.getLogger().removeHandler(w.records)
        return done[0], answers

    def run_code(self, text, class_name, batch="batch1.bin", **start):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "session_code.py")
            with open(path, "w") as f:
                f.write(textwrap.dedent(text))
            try:
                return self.session(dict(start, file=path, **{"class": class_name}), golden(batch))
            finally:
                sys.path.remove(folder)

    def test_identity(self):
        code, answers = self.run_code("def f(input):\n    return input if input is None else str(input) + '!'\n", "f")
        kind, payload = answers[1]
        self.assertEqual((code, kind), (0, frames.RESULTS))
        want = ["päyload!".encode(), b"", b"!", b"b'\\xff\\x00'!"]
        self.assertEqual(payload, b"".join(frames.results(7, bytearray([1, 0, 1, 1]), want, {})))

    def test_schemas_may_differ(self):
        topic = "persistent://public/default/orders"
        start = {"inputs": [{"topic": topic, "schema": "bytes"}, {"topic": "b", "schema": "json"}], "output": {"topic": "c", "schema": "string"}}
        _, answers = self.run_code("def f(input):\n    return type(input).__name__\n", "f", **start)
        want = [b"bytes", b"NoneType", b"bytes", b"bytes"]
        self.assertEqual(answers[1][1], b"".join(frames.results(7, bytearray([1, 1, 1, 1]), want, {})))

    def test_a_failure_hides_what_was_published(self):
        code = "def f(input, context):\n    context.publish('t', 'x')\n    if input is None:\n        raise ValueError('none')\n"
        _, answers = self.run_code(code, "f")
        payload = answers[1][1]
        self.assertEqual(list(payload[12:16]), [2, 3, 2, 2])
        self.assertEqual(payload.count(b"ValueError: none"), 1)

    def test_code_says_what_it_needs(self):
        inputs = [{"topic": "a", "schema": "bytes"}, {"topic": "b", "schema": "json"}]
        for text, want, inputs in (
            ("def f(input):\n    pass\n", True, []),
            ("def f(input, context):\n    pass\n", False, []),
            ("def f(input):\n    pass\n", False, inputs),
        ):
            with self.subTest(text=text, inputs=inputs):
                batch = "values2.bin" if want else "batch2.bin"
                _, answers = self.run_code(text, "f", batch, protocol=2, inputs=inputs)
                self.assertEqual(json.loads(answers[0][1].decode()), {"values_only": want, "shared": False})

    def test_manual_and_log(self):
        code = """
            def f(input, context):
                context.get_logger().warning("word %s", input)
                context.ack(context.get_message_id(), context.get_current_message_topic_name())
        """
        _, answers = self.run_code(code, "f", "batch2.bin", protocol=2, manual=True, log=True, name="x")
        payload = answers[1][1]
        self.assertEqual(list(payload[12:16]), [0, 0, 0, 0])
        self.assertEqual(payload.count(b"persistent://public/default/orders"), 3)
        self.assertEqual(payload.count(b"word "), 4)

    def test_failed_start(self):
        code, answers = self.run_code("x = 1\n", "f")
        self.assertEqual((code, answers[0][0]), (1, frames.FAILED))
        self.assertEqual(json.loads(answers[0][1].decode())["reason"], "ClassNotFound")


if __name__ == "__main__":
    unittest.main()
