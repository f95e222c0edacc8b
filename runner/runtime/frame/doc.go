// Package frame is the binary form in which batches and results travel between an
// instance and user code: over pipes to a worker process and through linear memory
// to a WASM module. It encodes what goes to user code and decodes what comes back;
// the SDKs hold the other half, and golden files hold both halves together.
//
// It starts no process and interprets no result. Only runner/runtime/process and
// runner/runtime/wasm import it.
//
// # Frames
//
// All integers are big-endian. A frame on a pipe is
//
//	u32 length    of what follows, type included
//	u8  type
//	    payload
//
// with the types
//
//	1 HELLO     worker -> instance  JSON Hello: the versions the worker speaks
//	2 START     instance -> worker  JSON Start: the version chosen and everything user code may ask for
//	3 READY     worker -> instance  JSON Ready: user code is loaded, and what of messages it needs
//	4 FAILED    worker -> instance  JSON Failed: it cannot be loaded
//	5 BATCH     instance -> worker  binary
//	6 RESULTS   worker -> instance  binary, answers one BATCH
//	7 STOP      instance -> worker  empty: finish and exit; end of file means the same
//	8 PROGRESS  worker -> instance  u64 batch id, u32 index of the message at work; sent
//	                                every quarter of the time limit when START sets one
//	9 LOG       worker -> instance  u64 batch id, log: records that do not wait for their batch
//	10 BATCH_AT    instance -> worker  u32 offset, u32 length: a BATCH payload in the shared memory
//	11 RESULTS_AT  worker -> instance  likewise; in the second half of that memory, as far behind
//	                                   its middle as the batch is behind the start
//
// The worker speaks first. A BATCH may be sent before the one before it is answered;
// answers come in the order of batches. A module has no frames: functionmesh_start takes
// the START payload, functionmesh_process takes a BATCH payload and returns a RESULTS
// payload.
//
// # Protocol 2: BATCH
//
// Columns, so that a reader finds all values with one pass over one array and decodes
// the rest of a message only when user code asks for it. Code that said in READY that it
// sees values only gets no metas. NULL is the length 0xffffffff.
//
//	u64 batch id
//	u32 n
//	u8  flags       1: metas follow
//	u32 [n]  length of each value, or NULL
//	    [n]  values
//	    metas
//
//	metas:  u32 number of topics, topics, fixed [n], variable [n]
//	topic:  u32 length, full name without partition
//	fixed:  u32 number of its topic, i32 partition (-1: none), u32 redelivery,
//	        i32 index in its entry, i32 messages of its entry (0: stored alone),
//	        i64 ledger (below 0: none, entry alone numbers messages), i64 entry,
//	        i64 event time, i64 publish time (ms), u32 key length or NULL, u32 schema
//	        length or NULL, u32 number of properties, u32 where its variable part begins
//	        after the first one's begin, u32 0
//	variable:  key, schema version, properties
//	property:  u32 name length, u32 value length, name, value
//
// # Protocol 2: RESULTS
//
//	u64 batch id
//	u32 n        the batch's n
//	u8  [n]  kind of each result
//	u32 [n]  length of each body
//	    [n]  bodies
//	u32 number of metrics, metrics
//	u32 number of acks, acks       in the order of their messages
//	log
//
//	kind 0  nothing to publish, no body
//	kind 1  one message to the configured output with the input's key and event time; body = value
//	kind 2  body = u32 n, n outputs
//	kind 3  user code failed; body = UTF-8 text
//
//	output:  u32 topic length (0: the configured output), i64 event time, u32 key length or NULL,
//	         u32 value length or NULL, u32 number of properties, topic, key, value, properties
//	metric:  u32 name length, u32 number of observations, name, f64 [observations]
//	ack:     u32 index of the message at work, u8 0 for one that is done, 1 for one to be delivered
//	         again, 2 when that at work is done itself; with 0 and 1, u32 topic length, i32 partition,
//	         i64 ledger, i64 entry, i32 index, i32 count, topic; only with the guarantee manual
//	log:     u32 number of records, records
//	record:  u8 Level, u32 index of the message at work or NULL, i64 time (ms), u32 length, UTF-8 text
//
// # Protocol 1
//
// BATCH has every meta, each with its topic and the text of its id; RESULTS end after
// the metrics.
//
//	u64 batch id, u32 n, u32 [n] length of each value or NULL, u32 [n] length of each meta, values, metas
//	meta:  u32 partition, u32 redelivery, i64 event time, i64 publish time (ms),
//	       u32 topic length, u32 id length, u32 key length or NULL, u32 number of properties,
//	       topic, id, key, properties
package frame
