package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// MinABIVersion and ABIVersion are the versions of the ABI that this build speaks; the
// package comment describes them.
const (
	MinABIVersion = 1
	ABIVersion    = 2
)

const (
	exportVersion = "functionmesh_abi_version"
	exportAlloc   = "functionmesh_alloc"
	exportStart   = "functionmesh_start"
	exportProcess = "functionmesh_process"
	exportMemory  = "memory"
	wasiModule    = "wasi_snapshot_preview1"
)

type signature struct {
	params  []api.ValueType
	results []api.ValueType
}

func exports() map[string]signature {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	return map[string]signature{
		exportVersion: {nil, []api.ValueType{i32}},
		exportAlloc:   {[]api.ValueType{i32}, []api.ValueType{i32}},
		exportStart:   {[]api.ValueType{i32, i32}, []api.ValueType{i64}},
		exportProcess: {[]api.ValueType{i32, i32}, []api.ValueType{i64}},
	}
}

func invalid(format string, args ...any) error {
	return &pipeline.TerminalError{Reason: "InvalidCode", Err: fmt.Errorf(format, args...)}
}

// checkHeader tells a core module from what people upload by mistake.
func checkHeader(code []byte) error {
	switch {
	case len(code) < 8 || !bytes.Equal(code[:4], []byte("\x00asm")):
		return invalid("the file is not a WebAssembly module (it does not begin with \\0asm)")
	case bytes.Equal(code[4:8], []byte{0x0d, 0, 1, 0}):
		return invalid("the file is a WebAssembly component; build a core module (for Go: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared; for others: target wasm32-wasip1)")
	case !bytes.Equal(code[4:8], []byte{1, 0, 0, 0}):
		return invalid("the file has WebAssembly version % x; version 1 is supported", code[4:8])
	}
	return nil
}

// compile compiles code and checks everything about it that needs no run.
func compile(ctx context.Context, rt wazero.Runtime, code []byte) (wazero.CompiledModule, error) {
	if err := checkHeader(code); err != nil {
		return nil, err
	}
	m, err := rt.CompileModule(ctx, code)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, invalid("the module does not compile: %w", err)
	}
	if err := errors.Join(checkImports(m), checkExports(m)); err != nil {
		return nil, errors.Join(invalid("%w", err), m.Close(ctx))
	}
	return m, nil
}

func checkImports(m wazero.CompiledModule) error {
	var unknown []string
	for _, f := range m.ImportedFunctions() {
		if module, name, _ := f.Import(); module != wasiModule {
			unknown = append(unknown, module+"."+name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("the module imports %s; only %s is offered to functions", strings.Join(unknown, ", "), wasiModule)
}

func checkExports(m wazero.CompiledModule) error {
	have := m.ExportedFunctions()
	if _, program := have["_start"]; program {
		return errors.New("the module was built as a program (it exports _start); build a reactor, for Go with -buildmode=c-shared")
	}
	var missing []string
	for name, want := range exports() {
		f, ok := have[name]
		if !ok {
			missing = append(missing, name)
			continue
		}
		if !slices.Equal(f.ParamTypes(), want.params) || !slices.Equal(f.ResultTypes(), want.results) {
			return fmt.Errorf("export %s has another signature than ABI version %d", name, ABIVersion)
		}
	}
	if _, ok := m.ExportedMemories()[exportMemory]; !ok {
		missing = append(missing, exportMemory)
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("the module does not export %s: build it with an SDK of this project", strings.Join(missing, ", "))
}
