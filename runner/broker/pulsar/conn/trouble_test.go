package conn

import (
	"errors"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

func TestTroubleIsToldSeldom(t *testing.T) {
	var told []error
	c, err := New(wire.Broker{URL: "pulsar://127.0.0.1:1"}, Options{Trouble: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cause, now := errors.New("refused"), time.Now()
	c.searching("a short gap", now, cause)
	if len(told) != 0 {
		t.Errorf("told of a gap: %v", told)
	}
	for range 3 {
		c.searching("a long search", now.Add(-troubleAfter), cause)
	}
	if len(told) != 1 || !errors.Is(told[0], cause) {
		t.Errorf("told %v", told)
	}
	if !c.trouble.due(now, now.Add(2*troubleEvery)) {
		t.Error("a search that goes on is not told of again")
	}
}
