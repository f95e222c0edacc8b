package gateway

import (
	"errors"
	"strconv"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

var (
	errNoCode   = errors.New("there is no uploaded code")
	errNoUpload = errors.New("code without a function is not kept here: send it with the function, or as a package")
)

// counters are the names under which Pulsar's models count.
var counters = map[spec.Kind]struct{ received, processed, failures, latest string }{
	spec.KindFunction: {"numReceived", "numSuccessfullyProcessed", "numUserExceptions", "latestUserExceptions"},
	spec.KindSource:   {"numReceivedFromSource", "numWritten", "numSourceExceptions", "latestSourceExceptions"},
	spec.KindSink:     {"numReadFromPulsar", "numWrittenToSink", "numSinkExceptions", "latestSinkExceptions"},
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
	return map[string]any{
		"running": i.Running, "error": i.Error, "numRestarts": i.Restarts, "workerId": worker,
		names.received: i.Received, names.processed: i.Processed, names.failures: i.Failures,
		names.latest: []any{}, "latestSystemExceptions": []any{},
	}
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
	var all engine.Instance
	instances := make([]map[string]any, 0, len(s.Instances))
	for _, i := range s.Instances {
		all.Received += i.Received
		all.Processed += i.Processed
		all.Failures += i.Failures
		instances = append(instances, map[string]any{"instanceId": i.ID, "metrics": metrics(i)})
	}
	out := metrics(all)
	out["instances"] = instances
	return out
}

func metrics(i engine.Instance) map[string]any {
	return map[string]any{
		"receivedTotal": i.Received, "processedSuccessfullyTotal": i.Processed, "userExceptionsTotal": i.Failures,
	}
}
