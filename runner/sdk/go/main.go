//go:build !wasip1

package function

import (
	"context"
	"fmt"
	"os"
	"time"
)

const (
	inFD  = 3
	outFD = 4
)

// serve speaks frames on descriptors 3 and 4 until the runner ends them, and then
// ends the process: it is the body of the author's main.
func serve(p *program) {
	in, out := os.NewFile(inFD, "frames in"), os.NewFile(outFD, "frames out")
	if !isPipe(in) || !isPipe(out) {
		fmt.Fprintln(os.Stderr, "This program is a function: name it in runtime = { go = { file = … } } and the runner starts it.")
		os.Exit(2)
	}
	closeOnExec(inFD)
	closeOnExec(outFD)
	w := &worker{program: p, in: in, out: out, watchParent: exitWithParent}
	if err := w.serve(); err != nil {
		fmt.Fprintln(os.Stderr, "function:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func isPipe(f *os.File) bool {
	if f == nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// exitWithParent ends a worker whose runner died while user code never returns to
// read the end of file.
func exitWithParent(ctx context.Context) {
	parent := os.Getppid()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				os.Exit(1) //nolint:gocritic // nothing is left to clean up for
			}
		}
	}
}
