package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
)

// running is the note on disk by which the next daemon finds a process again.
type running struct {
	PID      int    `json:"pid"` // also its process group
	Identity string `json:"identity"`
}

func (i *instance) note(pid int) error {
	id, ok := process.Identity(pid)
	if !ok {
		return nil // ended already
	}
	text, err := json.Marshal(running{PID: pid, Identity: id})
	if err != nil {
		return err
	}
	return home.WriteFile(filepath.Join(i.dir, processFile), text)
}

// Sweep ends every process that an earlier daemon noted and left behind. Call it
// before anything is Set.
func (s *Supervisor) Sweep(ctx context.Context) error {
	// kind/tenant/namespace/name/instance
	notes, err := filepath.Glob(filepath.Join(glob(s.options.Dir), "*", "*", "*", "*", "*", processFile))
	if err != nil {
		return fmt.Errorf("sweep what the last daemon left: %w", err)
	}
	var left []running
	for _, note := range notes {
		r, ok := readNote(note)
		if !ok || !r.alive() {
			continue
		}
		left = append(left, r)
		if err := process.Signal(r.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("end process %d of the last daemon: %w", r.PID, err)
		}
	}
	for _, r := range left {
		if err := r.gone(ctx); err != nil {
			return err
		}
		s.options.Log.Warn("ended a process of the last daemon", "pid", r.PID)
	}
	for _, note := range notes {
		if err := os.Remove(note); err != nil {
			return fmt.Errorf("sweep what the last daemon left: %w", err)
		}
	}
	return nil
}

func readNote(path string) (running, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return running{}, false
	}
	var r running
	if json.Unmarshal(text, &r) != nil || r.PID <= 1 || r.Identity == "" {
		return running{}, false
	}
	return r, true
}

// alive reports whether the noted process, or the group it led, still exists. A pid
// stays taken as long as its group has members, so a group without its leader is
// ours unless the machine was started anew.
func (r running) alive() bool {
	id, ok := process.Identity(r.PID)
	if ok {
		return id == r.Identity
	}
	self, ok := process.Identity(os.Getpid())
	boot, _, _ := strings.Cut(r.Identity, ":")
	return ok && strings.HasPrefix(self, boot+":") && process.GroupExists(r.PID)
}

func (r running) gone(ctx context.Context) error {
	for {
		if id, ok := process.Identity(r.PID); !ok || id != r.Identity {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d of the last daemon does not end: %w", r.PID, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
