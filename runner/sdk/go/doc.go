// Package function is what the author of a Go function imports. One source builds
// two ways:
//
//	go build -o exclaim .                                                    # runtime = { go = { file = "exclaim" } }
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o exclaim.wasm .   # runtime = { wasm = { file = "exclaim.wasm" } }
//
// A function is one call of Main with a handler:
//
//	package main
//
//	import function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"
//
//	func main() {
//		function.Main(func(in []byte) ([]byte, error) { return append(in, '!'), nil })
//	}
//
// An error or a panic fails that one message: it is counted, retried and in the end
// dead-lettered; the process goes on. What a handler prints goes to the instance's
// log. The module depends on the standard library only, so that a function does not
// drag in a provider.
//
// It speaks no broker's protocol: messages arrive from the runner and results return
// to it, and the runner publishes and acknowledges.
package function
