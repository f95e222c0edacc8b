package nats_test

import (
	"os"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
)

// TestMain lets this binary be the server or the runner of a kill test.
func TestMain(m *testing.M) {
	if natstest.Main() {
		return
	}
	os.Exit(m.Run())
}
