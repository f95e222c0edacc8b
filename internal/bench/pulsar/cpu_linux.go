package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is what a process and everything below it have used, to the nanosecond. What has
// ended already is not counted.
func cpuOf(pid int) (time.Duration, error) {
	var sum time.Duration
	for _, p := range family(pid) {
		var ts unix.Timespec
		// The clock of another process: its number is made of the process's (see clock_getcpuclockid).
		if err := unix.ClockGettime(int32(^p<<3|2), &ts); err != nil { //nolint:gosec // a process id
			return 0, fmt.Errorf("clock of process %d: %w", p, err)
		}
		sum += time.Duration(ts.Nano())
	}
	return sum, nil
}

// family is a process and its descendants.
func family(pid int) []int {
	all := []int{pid}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return all
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue
		}
		for child := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, family(n)...)
			}
		}
	}
	return all
}

// residentOf is the memory that a process and everything below it hold, in bytes.
func residentOf(pid int) int64 {
	var sum int64
	for _, p := range family(pid) {
		sum += residentOfOne(p)
	}
	return sum
}

// residentOfOne is the memory that one process holds, in bytes; 0 when it is gone.
func residentOfOne(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64) // 0 of a line that has none
			return kib << 10
		}
	}
	return 0
}
