package admin

import (
	"fmt"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// workerStatus is the status of a component in Pulsar's three models at once: they
// differ in the names of their counters only.
type workerStatus struct {
	NumInstances int `json:"numInstances"`
	NumRunning   int `json:"numRunning"`
	Instances    []struct {
		ID     int            `json:"instanceId"`
		Status instanceStatus `json:"status"`
	} `json:"instances"`
}

type instanceStatus struct {
	Running  bool   `json:"running"`
	Error    string `json:"error"`
	Restarts int    `json:"numRestarts"`

	Received       int64 `json:"numReceived"`
	FromSource     int64 `json:"numReceivedFromSource"`
	FromPulsar     int64 `json:"numReadFromPulsar"`
	Processed      int64 `json:"numSuccessfullyProcessed"`
	Written        int64 `json:"numWritten"`
	WrittenToSink  int64 `json:"numWrittenToSink"`
	UserFailures   int64 `json:"numUserExceptions"`
	SystemFailures int64 `json:"numSystemExceptions"`
	SourceFailures int64 `json:"numSourceExceptions"`
	SinkFailures   int64 `json:"numSinkExceptions"`
}

func (s instanceStatus) instance(id int) engine.Instance {
	return engine.Instance{
		ID: id, Running: s.Running, Ready: s.Running, Restarts: s.Restarts, Error: s.Error,
		Received:  s.Received + s.FromSource + s.FromPulsar,
		Processed: s.Processed + s.Written + s.WrittenToSink,
		Failures:  s.UserFailures + s.SystemFailures + s.SourceFailures + s.SinkFailures,
	}
}

// manyRestarts is from when on an instance that does not run counts as failed: waiting
// longer does not help.
const manyRestarts = 3

// failures says whether an instance fails for good, and how the first one fails.
func failures(instances []engine.Instance) (failed bool, first string) {
	for _, i := range instances {
		if i.Running || i.Error == "" {
			continue
		}
		failed = failed || i.Restarts >= manyRestarts
		if first == "" {
			first = fmt.Sprintf("instance %d: %s", i.ID, i.Error)
		}
	}
	return failed, first
}

// status reads a phase out of what a Pulsar worker says, which has none: no instance
// running without an error is stopped.
func (s workerStatus) status() engine.Status {
	out := engine.Status{Phase: engine.Progressing, Reason: "InstancesStarting", Wanted: s.NumInstances, Ready: s.NumRunning}
	for _, i := range s.Instances {
		out.Instances = append(out.Instances, i.Status.instance(i.ID))
	}
	failed, errors := failures(out.Instances)
	switch {
	case s.NumInstances > 0 && s.NumRunning >= s.NumInstances:
		out.Phase, out.Reason = engine.Ready, ""
	case failed:
		out.Phase, out.Reason, out.Message = engine.Failed, "InstancesFailing", errors
	case errors != "":
		out.Reason, out.Message = "InstancesFailing", errors
	case s.NumRunning == 0 && len(s.Instances) > 0:
		out.Phase, out.Reason = engine.Stopped, "Stopped"
	}
	return out
}
