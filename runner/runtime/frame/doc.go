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
//	3 READY     worker -> instance  JSON Ready: user code is loaded
//	4 FAILED    worker -> instance  JSON Failed: it cannot be loaded
//	5 BATCH     instance -> worker  binary
//	6 RESULTS   worker -> instance  binary, answers one BATCH
//	7 STOP      instance -> worker  empty: finish and exit; end of file means the same
//	8 PROGRESS  worker -> instance  u64 batch id, u32 index of the message at work; sent
//	                                every quarter of the time limit when START sets one
//
// The worker speaks first. A module has no frames: functionmesh_start takes the START
// payload, functionmesh_process takes a BATCH payload and returns a RESULTS payload.
//
// # BATCH
//
// Columns, so that a reader finds all values with one pass over one array and decodes
// the rest of a message only when user code asks for it. NULL is the length 0xffffffff.
//
//	u64 batch id
//	u32 n
//	u32 [n]  length of each value, or NULL
//	u32 [n]  length of each meta
//	    [n]  values
//	    [n]  metas
//
//	meta:  u32 partition, u32 redelivery, i64 event time, i64 publish time (ms),
//	       u32 topic length, u32 id length, u32 key length or NULL, u32 number of properties,
//	       topic, id, key, properties
//	property:  u32 name length, u32 value length, name, value
//
// # RESULTS
//
//	u64 batch id
//	u32 n        the batch's n
//	u8  [n]  kind of each result
//	u32 [n]  length of each body
//	    [n]  bodies
//	u32 number of metrics, metrics
//
//	kind 0  nothing to publish, no body
//	kind 1  one message to the configured output with the input's key and event time; body = value
//	kind 2  body = u32 n, n outputs
//	kind 3  user code failed; body = UTF-8 text
//
//	output:  u32 topic length (0: the configured output), i64 event time, u32 key length or NULL,
//	         u32 value length or NULL, u32 number of properties, topic, key, value, properties
//	metric:  u32 name length, u32 number of observations, name, f64 [observations]
package frame
