package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	watchEvery    = 250 * time.Millisecond
	manyProcesses = 512 // a function that starts more runs away
)

// watch ends a worker that, with its children, holds more memory or processes than it
// may, before the machine suffers. The kernel cannot be told to: a limit on address
// space hits runtimes that reserve much and use little.
func (w *worker) watch(limit int64, processes int) {
	if limit <= 0 {
		limit = mostOfMemory()
	}
	if processes <= 0 {
		processes = manyProcesses
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.exited:
			return
		case <-tick.C:
		}
		f := family{page: int64(os.Getpagesize()), most: processes}
		f.add(w.pid)
		text := ""
		switch {
		case f.processes-1 > processes:
			text = fmt.Sprintf("the function started more than %d processes", processes)
		case f.bytes > limit:
			text = fmt.Sprintf("the function holds %d MiB of memory, more than its limit of %d MiB", f.bytes>>20, limit>>20)
		default:
			continue
		}
		w.passed.CompareAndSwap(nil, &text)
		w.cancel()
		return
	}
}

// mostOfMemory is three quarters of the machine's.
func mostOfMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 1 << 62
	}
	return int64(info.Totalram) / 4 * 3 * int64(info.Unit) //nolint:gosec // no machine has 2^63 bytes
}

// family is a process and all that it started.
type family struct {
	page      int64
	most      int
	bytes     int64
	processes int
}

func (f *family) add(pid int) {
	if f.processes++; f.processes-1 > f.most {
		return
	}
	dir := "/proc/" + strconv.Itoa(pid)
	if text, err := os.ReadFile(dir + "/statm"); err == nil {
		fields := bytes.Fields(text)
		if len(fields) > 2 {
			resident, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			shared, _ := strconv.ParseInt(string(fields[2]), 10, 64)
			f.bytes += (resident - shared) * f.page
		}
	}
	threads, err := os.ReadDir(dir + "/task")
	if err != nil {
		return // it has just ended
	}
	for _, t := range threads {
		children, err := os.ReadFile(dir + "/task/" + t.Name() + "/children")
		if err != nil {
			continue
		}
		for child := range bytes.FieldsSeq(children) {
			if pid, err := strconv.Atoi(string(child)); err == nil {
				f.add(pid)
			}
		}
	}
}
