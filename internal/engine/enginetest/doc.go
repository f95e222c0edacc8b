// Package enginetest holds an in-memory engine.Client with fault knobs and the
// conformance suite that every client passes.
//
// It imports the engine only; what compares two specs is handed in. Tests may import
// it, and nothing else.
package enginetest
