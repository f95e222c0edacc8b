//go:build unix

package nats_test

import (
	"os"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/nats/natstest"
)

// TestMain lets this binary be the server or the instance of a kill test.
func TestMain(m *testing.M) {
	if natstest.Main() || instanceMain() {
		return
	}
	os.Exit(m.Run())
}
