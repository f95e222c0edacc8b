package command

import (
	"context"
	"os"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// pulsarFile makes the file of one instance whose streams are on a Pulsar. Its work
// directory is the caller's to remove.
func (a *app) pulsarFile(ctx context.Context, file string, broker wire.Broker) (wire.File, error) {
	c, tell, err := a.readComponent(file, spec.PlatformRunner)
	if err != nil {
		return wire.File{}, err
	}
	problems := spec.CheckConnections(c, nil)
	for i := range problems {
		problems[i].Hint = "One Pulsar is reached here, that of --pulsar: leave connection out."
	}
	problems = append(notHere(c), problems...)
	if err := tell(append(problems, secretless(c)...)); err != nil {
		return wire.File{}, err
	}
	cluster, err := clusters(broker)
	if err != nil {
		return wire.File{}, engine.New(engine.Invalid, err)
	}
	facts := wire.Facts{Platform: "run", Brokers: map[string]wire.Broker{"": broker}}
	a.progress("preparing the streams on %s", broker.URL)
	if facts.Partitions, err = local.Prepare(ctx, cluster, c); err != nil {
		return wire.File{}, err
	}
	if _, code := c.Runtime.Chosen(); code != nil {
		facts.Code = wire.Code{File: code.File, SHA256: code.SHA256}
	}
	if facts.BaseDir, err = os.Getwd(); err != nil {
		return wire.File{}, err
	}
	f, err := wire.FromComponent(c, facts)
	if err != nil {
		return f, engine.New(engine.Invalid, err)
	}
	f.WorkDir, err = os.MkdirTemp("", Program+"-run-")
	return f, err
}

// secretless refuses secrets, whose values a daemon would keep.
func secretless(c spec.Component) []spec.Problem {
	var problems []spec.Problem
	for _, name := range spec.SortedKeys(c.Secrets) {
		problems = append(problems, spec.Problem{
			Path: spec.Path("secrets").Key(name), Severity: spec.SeverityError,
			Message: "A function that runs without the embedded platform has no secrets.", Hint: "Use local and pulsar in the provider.",
		})
	}
	return problems
}
