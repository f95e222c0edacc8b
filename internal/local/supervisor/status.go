package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

const (
	probeSoon   = 50 * time.Millisecond // until it is ready
	probeLater  = time.Second
	probeWithin = time.Second
	probeLimit  = 1 << 20

	tailInStatus = 10 // log lines quoted of an instance that is not ready
)

// watch asks the probe until the process has ended.
func (i *instance) watch(socket string, exited <-chan struct{}) {
	client := probeClient(socket)
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		status, ok := ask(ctx, client)
		i.learn(status, ok)
		wait := probeSoon
		if ok && status.Ready {
			wait = probeLater
		}
		select {
		case <-exited:
			return
		case <-time.After(wait):
		}
	}
}

func (i *instance) learn(status wire.Status, ok bool) {
	i.update(func(s *state) {
		if s.pid == 0 {
			return
		}
		if !ok {
			s.ready = false
			return
		}
		s.status, s.ready = status, status.Ready
		if status.Ready {
			s.wasReady, s.quick, s.reason, s.message = true, 0, "", ""
		}
	})
}

func probeClient(socket string) *http.Client {
	return &http.Client{Timeout: probeWithin, Transport: &http.Transport{
		MaxIdleConns: 1,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

func ask(ctx context.Context, client *http.Client) (status wire.Status, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance/status", http.NoBody)
	if err != nil {
		return status, false
	}
	res, err := client.Do(req)
	if err != nil {
		return status, false
	}
	defer res.Body.Close()
	err = json.NewDecoder(http.MaxBytesReader(nil, res.Body, probeLimit)).Decode(&status)
	return status, err == nil && res.StatusCode == http.StatusOK
}

// Refresh asks the probes of a component now, so that Status is fresh.
func (s *Supervisor) Refresh(ctx context.Context, key engine.Key) {
	u, ok := s.known(key)
	if !ok {
		return
	}
	var asking sync.WaitGroup
	for _, i := range u.list() {
		socket := i.snapshot().socket
		if socket == "" {
			continue
		}
		asking.Go(func() {
			client := probeClient(socket)
			defer client.CloseIdleConnections()
			if status, ok := ask(ctx, client); ok && i.snapshot().socket == socket {
				i.learn(status, true)
			}
		})
	}
	asking.Wait()
}

func (u *unit) list() []*instance {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := slices.Collect(maps.Values(u.instances))
	slices.SortFunc(all, func(x, y *instance) int { return x.id - y.id })
	return all
}

// Status is what is known of a component's instances. Stopped is a phase of its own:
// nothing is wanted and nothing runs.
func (s *Supervisor) Status(key engine.Key) engine.Status {
	u, ok := s.known(key)
	if !ok {
		return engine.Status{Phase: engine.Stopped, Reason: "Stopped"}
	}
	u.mu.Lock()
	wanted, busy := len(u.wanted), u.settled < u.turn
	u.mu.Unlock()
	st := engine.Status{Wanted: wanted}
	var failed, starting []string
	for _, i := range u.list() {
		in, reason := i.describe()
		st.Instances = append(st.Instances, in)
		if in.Ready {
			st.Ready++
		}
		if reason != "" {
			failed = append(failed, fmt.Sprintf("instance %d: %s", in.ID, in.Error))
			if st.Reason == "" {
				st.Reason = reason
			}
		} else if !in.Ready && in.Error != "" {
			starting = append(starting, fmt.Sprintf("instance %d: %s", in.ID, in.Error))
		}
	}
	return conclude(st, busy, failed, starting)
}

func conclude(st engine.Status, busy bool, failed, starting []string) engine.Status {
	switch {
	case st.Wanted == 0 && !busy && len(st.Instances) == 0:
		st.Phase, st.Reason = engine.Stopped, "Stopped"
	case st.Wanted == 0:
		st.Phase, st.Reason = engine.Progressing, "Stopping"
	case busy:
		st.Phase, st.Reason = engine.Progressing, "Updating"
	case len(failed) > 0:
		st.Phase, st.Message = engine.Failed, strings.Join(failed, "; ")
	case st.Ready == st.Wanted:
		st.Phase = engine.Ready
	default:
		st.Phase, st.Reason = engine.Progressing, "Starting"
		st.Message = fmt.Sprintf("%d of %d instances are ready", st.Ready, st.Wanted)
		if len(starting) > 0 { // copies of one component fail alike
			st.Message += "; " + starting[0]
		}
	}
	return st
}

// describe is the instance for a status; reason is set when it has failed.
func (i *instance) describe() (in engine.Instance, reason string) {
	s := i.snapshot()
	in = engine.Instance{
		ID: i.id, Running: s.pid != 0, Ready: s.ready || s.completed, Restarts: s.restarts, Error: s.message,
		Received: s.status.Received, Processed: s.status.Processed,
		LatencyMs: s.status.AverageLatencyMs, LastInvocationMs: s.status.LastInvocationMs,
		DataPath: string(s.status.Path), DataPathNote: s.status.PathNote, Repeats: s.status.Repeats, Malformed: s.status.Malformed,
	}
	in.Exceptions = exceptions(s)
	for _, e := range in.Exceptions {
		in.Failures += e.Total
	}
	if in.Error == "" {
		in.Error = s.masks.apply(latest(s.status))
	}
	if s.reason == ReasonStartFailed && s.quick < loopAfter {
		s.reason = "" // it is tried again
	}
	if s.reason != "" || !in.Ready {
		in.LogTail, _ = tail(i.dir, tailInStatus)
	}
	return in, s.reason
}

// exceptions are the failures that the instance counted, by class.
func exceptions(s state) map[string]engine.Exceptions {
	all := map[string]engine.Exceptions{}
	for _, c := range []struct {
		name   string
		total  int64
		latest []wire.Exception
	}{
		{"user", s.status.UserExceptions, s.status.LatestUser},
		{"system", s.status.SystemExceptions, s.status.LatestSystem},
		{"source", s.status.SourceExceptions, s.status.LatestSource},
		{"sink", s.status.SinkExceptions, s.status.LatestSink},
	} {
		if c.total == 0 {
			continue
		}
		e := engine.Exceptions{Total: c.total}
		for _, l := range c.latest {
			e.Latest = append(e.Latest, engine.Exception{Message: s.masks.apply(l.Message), AtMs: l.AtMs})
		}
		all[c.name] = e
	}
	return all
}

// latest is the newest failure that the instance reports of its own work.
func latest(s wire.Status) string {
	var newest wire.Exception
	for _, list := range [][]wire.Exception{s.LatestUser, s.LatestSystem, s.LatestSource, s.LatestSink} {
		if n := len(list); n > 0 && list[n-1].AtMs >= newest.AtMs {
			newest = list[n-1]
		}
	}
	return newest.Message
}
