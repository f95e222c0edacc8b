//go:build unix

package pulsar_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/pulsartest"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/runnertest"
)

// jobVariable holds the job that a child of these tests runs.
const jobVariable = "PULSAR_TEST_JOB"

// TestMain lets this binary be the instance that a test kills.
func TestMain(m *testing.M) {
	text, child := os.LookupEnv(jobVariable)
	if !child {
		os.Exit(m.Run())
	}
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		panic(err)
	}
	drain := make(chan struct{})
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	runnertest.Listening(os.Stdout)
	go func() { <-terminated; close(drain) }()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := j.run(context.Background(), drain, pulsar.SourceOptions{Logger: log}, pulsar.SinkOptions{Logger: log}); err != nil { //nolint:forbidigo // a program of its own
		log.Error("ended", "error", err)
		os.Exit(1)
	}
}

// child runs a job in a process of its own.
func child(t testing.TB, j *job) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	cmd.Stderr = t.Output()
	runnertest.StartChild(t, cmd)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// An instance is killed again and again, at another point of its work each time.
func TestPulsarKillInstance(t *testing.T) {
	s := pulsartest.Need(t)
	cells := grid("atleast_once", "atmost_once", "effectively_once")
	for _, c := range cells {
		if c.mode == wire.KeyShared || c.mode == wire.Exclusive {
			continue // they differ in who else reads, and nobody does here
		}
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			total, kills := 20_000, 4
			if c.perEntry == 1 {
				total = 8000
			}
			n := s.Namespace(t, c.policies())
			j := c.job(t, n)
			j.Batch = 100
			s.Fill(t, j.In, total, c.fill())
			for k := range kills {
				cmd := child(t, j)
				stored := s.Stats(t, j.Out).MsgInCounter
				pulsartest.Eventually(t, "the child writes", func() bool { return s.Stats(t, j.Out).MsgInCounter > stored || s.Backlog(t, j.In, "sub") == 0 })
				time.Sleep(time.Duration(17*k) * time.Millisecond)
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
			cmd := child(t, j)
			s.Settled(t, j.In, "sub")
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
			tally := s.Read(t, j.Out, j.Outputs, total)
			tally.Check(t, c.bounds())
			t.Log(tally)
		})
	}
}
