package instance

import (
	"os"
	goruntime "runtime"
)

// OwnProcess is for Options.Busy of a process that runs an instance and nothing else: it
// keeps Go's scheduler from spreading one lane's work over processors. What one of them
// has just written the next would fetch from its cache, and the idle ones would look for
// work. It stays within what the process began with, and leaves everything as it is where
// GOMAXPROCS is set.
func OwnProcess() func(processors int) {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	most := goruntime.GOMAXPROCS(0)
	return func(processors int) { goruntime.GOMAXPROCS(max(1, min(processors, most))) }
}

// lanes passes on what is told of them. User code that runs in this process has
// processors of its own, so that batches come and go while it works.
func (i *instance) lanes(n int) {
	if i.busy == nil {
		return
	}
	if f := i.file.Function; f != nil && f.Runtime == "wasm" {
		n *= 2
	}
	i.busy(n)
}
