// Package process runs user code in a child process, in any language that has an SDK,
// and exchanges batch frames with it over two pipes: descriptor 3 to the worker,
// descriptor 4 from it. Standard output and error of the worker go to the log.
//
// One worker serves all lanes of the instance, one batch at a time: a function is one
// object with one state, as in Pulsar, and more of them is what parallelism is for. A
// worker that dies, hangs or answers nonsense is replaced, with backoff; it never ends
// the instance. Workers have a process group of their own and end with the instance:
// by end of file, and on Linux by the parent's death signal.
//
// It knows nothing of brokers, and user code has the rights of the instance's user.
// Only runner/instance imports it.
package process
