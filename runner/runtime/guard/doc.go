// Package guard keeps user code within its bounds, in the same way for every runtime:
// it finds the one message of a batch that breaks a limit, and keeps the last words of
// code that died.
//
// It runs no user code itself. Only runner/runtime/process and runner/runtime/wasm
// import it.
package guard
