package function

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"unsafe"
)

// abiVersion is what functionmesh_abi_version answers.
const abiVersion = 2

// guest is the module's only state: exports are plain functions and a module is one
// instance, called by one goroutine.
var guest struct {
	program *program
	in      []byte
	out     []byte
}

func serve(p *program) { guest.program = p }

// runMain is the program's own main. A module built as a library does not run it, so
// the first call from the runner does.
//
//go:linkname runMain main.main
func runMain()

//go:wasmexport functionmesh_abi_version
func exportVersion() uint32 { return abiVersion }

// exportAlloc returns memory for the next start or process call; it stays valid until
// the next alloc.
//
//go:wasmexport functionmesh_alloc
func exportAlloc(size uint32) uint32 {
	size = max(size, 1)
	if uint32(cap(guest.in)) < size {
		guest.in = make([]byte, size)
	}
	guest.in = guest.in[:size]
	return address(guest.in)
}

// exportStart takes the START payload and returns 0, or the place of a READY payload, or
// that of a FAILED payload, which alone has a reason.
//
//go:wasmexport functionmesh_start
func exportStart(ptr, size uint32) uint64 {
	instance, err := newInstance(input(size))
	if err != nil {
		return failed("InvalidConfig", err.Error())
	}
	runMain()
	if guest.program == nil {
		return failed("InvalidCode", "main did not call function.Main with a handler")
	}
	guest.program.instance, guest.program.version = instance, 2
	guest.program.ctx = context.WithValue(context.Background(), instanceKey{}, instance)
	if guest.program.value == nil {
		return 0
	}
	guest.out = []byte(`{"values_only":true}`)
	return place(guest.out)
}

// exportProcess takes a BATCH payload and returns the place of a RESULTS payload,
// valid until the next call.
//
//go:wasmexport functionmesh_process
func exportProcess(ptr, size uint32) uint64 {
	out, err := guest.program.run(input(size))
	if err != nil {
		fmt.Fprintln(os.Stderr, "function:", err)
		return 0
	}
	return place(out[frameLen:])
}

func input(size uint32) []byte { return guest.in[:size] }

func failed(reason, message string) uint64 {
	b, err := json.Marshal(map[string]string{"reason": reason, "message": message})
	if err != nil {
		b = []byte(`{"reason":"InvalidCode"}`)
	}
	guest.out = b
	return place(guest.out)
}

func place(b []byte) uint64 { return uint64(address(b))<<32 | uint64(len(b)) }

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
