// Package wasm runs user code as a core WebAssembly module inside the instance: one
// compilation, one module instance per lane, calls bounded in time and memory.
//
// A guest has no file system, no network and no environment; it has clocks, random
// numbers, and standard output and error, which go to the instance's log. A guest
// that traps, exits, loops or wants too much memory fails the message that made it so
// and is replaced; it never ends the instance. Only a component with a time limit can
// have a loop stopped: the checks that it takes cost four to ten times the time of a
// function that does little, so they are left out otherwise.
//
// # ABI, version 2
//
// The module exports its memory as "memory" and
//
//	functionmesh_abi_version() -> i32                2
//	functionmesh_alloc(size i32) -> i32              where to write the next argument
//	functionmesh_start(ptr, size i32) -> i64         START payload; 0, or the place of a READY payload, or
//	                                                 that of a FAILED payload, which alone has a reason
//	functionmesh_process(ptr, size i32) -> i64       BATCH payload; the place of a RESULTS payload
//
// A place is ptr<<32 | size and stays valid until the next call. The payloads are
// those of package frame, in protocol 2. Version 1 is the same with protocol 1 and
// without a READY payload, and still runs. Imports other than wasi_snapshot_preview1 are refused. The
// module is a reactor: _initialize, when exported, runs once after instantiation.
//
// Only runner/instance imports it.
package wasm
