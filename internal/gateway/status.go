package gateway

import (
	"errors"
	"strconv"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var (
	errNoCode   = errors.New("there is no uploaded code")
	errNoUpload = errors.New("code without a function is not kept here: send it with the function, or as a package")
)

// counters are the names under which Pulsar's models count, and the classes of failure
// that each knows.
var counters = map[spec.Kind]struct {
	received, processed, last string
	classes                   []string
}{
	spec.KindFunction: {"numReceived", "numSuccessfullyProcessed", "lastInvocationTime", []string{"User", "System", "Source", "Sink"}},
	spec.KindSource:   {"numReceivedFromSource", "numWritten", "lastReceivedTime", []string{"System", "Source"}},
	spec.KindSink:     {"numReadFromPulsar", "numWrittenToSink", "lastReceivedTime", []string{"System", "Sink"}},
}

// statusOf is a status in Pulsar's model. What a platform does not count is left out.
func (a componentAPI) statusOf(s engine.Status, worker string) map[string]any {
	running := 0
	instances := make([]map[string]any, 0, len(s.Instances))
	for _, i := range s.Instances {
		if i.Running {
			running++
		}
		instances = append(instances, map[string]any{"instanceId": i.ID, "status": a.instanceStatus(i, worker)})
	}
	return map[string]any{"numInstances": s.Wanted, "numRunning": running, "instances": instances}
}

func (a componentAPI) instanceStatus(i engine.Instance, worker string) map[string]any {
	names := counters[a.kind]
	out := map[string]any{
		"running": i.Running, "error": i.Error, "numRestarts": i.Restarts, "workerId": worker,
		names.received: i.Received, names.processed: i.Processed, names.last: i.LastInvocationMs,
	}
	if a.kind == spec.KindFunction {
		out["averageLatency"] = i.LatencyMs
	}
	for _, class := range names.classes {
		e := i.Exceptions[strings.ToLower(class)]
		out["num"+class+"Exceptions"], out["latest"+class+"Exceptions"] = e.Total, exceptions(e.Latest)
	}
	return out
}

// exceptions are failures in Pulsar's model, never null.
func exceptions(latest []engine.Exception) []map[string]any {
	out := make([]map[string]any, len(latest))
	for n, e := range latest {
		out[n] = map[string]any{"exceptionString": e.Message, "timestampMs": e.AtMs}
	}
	return out
}

// instanceOf finds an instance; one that is wanted and not there yet is not running.
func instanceOf(s engine.Status, id string) engine.Instance {
	n, _ := strconv.Atoi(id) // checkInstance has read it
	for _, i := range s.Instances {
		if i.ID == n {
			return i
		}
	}
	return engine.Instance{ID: n}
}

// statsOf sums up what instances counted, in Pulsar's model.
func statsOf(s engine.Status) map[string]any {
	all := engine.Instance{Exceptions: map[string]engine.Exceptions{}}
	weighted := 0.0
	instances := make([]map[string]any, 0, len(s.Instances))
	for _, i := range s.Instances {
		all.Received += i.Received
		all.Processed += i.Processed
		all.Failures += i.Failures
		for class, e := range i.Exceptions {
			sum := all.Exceptions[class]
			sum.Total += e.Total
			all.Exceptions[class] = sum
		}
		all.LastInvocationMs = max(all.LastInvocationMs, i.LastInvocationMs)
		weighted += i.LatencyMs * float64(i.Processed)
		instances = append(instances, map[string]any{"instanceId": i.ID, "metrics": metrics(i)})
	}
	if all.Processed > 0 {
		all.LatencyMs = weighted / float64(all.Processed)
	}
	out := metrics(all)
	out["instances"] = instances
	return out
}

func metrics(i engine.Instance) map[string]any {
	return map[string]any{
		"receivedTotal": i.Received, "processedSuccessfullyTotal": i.Processed,
		"userExceptionsTotal": i.Exceptions["user"].Total, "systemExceptionsTotal": i.Exceptions["system"].Total,
		"avgProcessLatency": i.LatencyMs, "lastInvocation": i.LastInvocationMs,
	}
}
