// Package python holds the Python side of process functions as files: the worker that
// speaks batch frames, and a small stand-in for the pulsar package, put last on the
// path so that an installed client wins. The runner unpacks them beside the code.
//
// It holds no Go logic. Only runner/runtime/process imports it.
package python

import "embed"

// Files are the worker (worker/…) and the stand-in (shim/…).
//
//go:embed worker/main.py worker/functionmesh/*.py shim/pulsar/*.py shim/pulsar/functions/*.py
var Files embed.FS
