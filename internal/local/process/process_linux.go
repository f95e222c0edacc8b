package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Bound makes a child with its own process group that the kernel kills when the
// thread that started it ends. The starter locks its goroutine to that thread for the
// child's life.
func Bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// Identity names one process for ever: two processes with the same pid differ in it.
// ok is false when there is no such process, or only what its parent has not reaped.
func Identity(pid int) (id string, ok bool) {
	fields := status(pid)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", false
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil // a locked-down /proc: the start time alone has to do
	}
	return strings.TrimSpace(string(boot)) + ":" + fields[19], true
}

// Stopped reports whether the process is suspended, as by SIGSTOP.
func Stopped(pid int) bool {
	fields := status(pid)
	return len(fields) > 0 && (fields[0] == "T" || fields[0] == "t")
}

// status are the fields of a process from its state on; none when it is not there.
func status(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	// The command in parentheses may itself hold spaces and parentheses.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return nil
	}
	return strings.Fields(string(stat[end+1:]))
}
