package broker_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/broker"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// A write that failed for want of space must not be the topic's last one. It needs a
// file system of its own, which only root can make.
func TestTopicTakesMessagesAgainAfterAFullDisk(t *testing.T) {
	mount := filepath.Join(t.TempDir(), "small")
	must(t, os.Mkdir(mount, 0o700))
	if err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", mount).Run(); err != nil {
		t.Skipf("no file system of a few megabytes can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		must(t, exec.CommandContext(context.WithoutCancel(t.Context()), "umount", mount).Run())
	})
	b := start(t, filepath.Join(mount, "broker"), 0)
	must(t, b.CreateTopic(t.Context(), broker.Topic{Name: topic}))
	js := outside(t, b)
	ballast := filepath.Join(mount, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 5<<20), 0o600))
	var failure error
	confirmed, message := uint64(0), make([]byte, 64<<10)
	for failure == nil {
		if _, failure = js.Publish(t.Context(), wire.Subject(topic, 0), message); failure == nil {
			confirmed++
		}
	}
	must(t, b.Recover()) // there is nothing to recover to yet
	must(t, os.Remove(ballast))
	must(t, b.Recover())
	if _, err := js.Publish(t.Context(), wire.Subject(topic, 0), message); err != nil {
		t.Errorf("after %d messages and %v: %v", confirmed, failure, err)
	}
	if got := kept(t, js); got != confirmed+1 {
		t.Errorf("%d messages are kept, want the %d confirmed", got, confirmed+1)
	}
}
