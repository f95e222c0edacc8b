package instance

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"
)

// onPulsar reports whether all that the instance reaches is on Pulsars.
func (i *instance) onPulsar() bool {
	for _, b := range i.file.Brokers {
		if b.Kind != wire.KindPulsar {
			return false
		}
	}
	return len(i.file.Brokers) > 0
}

// kindOfInputs is the one kind of broker that all inputs come from.
func (i *instance) kindOfInputs() (string, error) {
	kind := ""
	for n, in := range i.file.Source.Inputs {
		b, err := i.broker(in.Broker)
		if err != nil {
			return "", err
		}
		if kind != "" && b.Kind != kind {
			return "", terminal(reasonConfig, "source.inputs[%d].broker: inputs of %s and of %s cannot be read together", n, kind, b.Kind)
		}
		kind = b.Kind
	}
	return kind, nil
}

// entryPath refuses the data path that is not built in.
func (i *instance) entryPath() error {
	if p := i.file.Path; p != "" && p != wire.EntryPath {
		return terminal(reasonConfig, "path: %q is not offered; %s", p, i.file.PathNote)
	}
	return nil
}

func (i *instance) pulsarSource() (pipeline.Source, error) {
	if err := i.entryPath(); err != nil {
		return nil, err
	}
	f := i.file
	source, err := pulsar.NewSource(pulsar.SourceOptions{
		Brokers: f.Brokers, Source: f.Source, Component: f.Component, Instance: f.Instance, Delivery: f.Delivery, Limits: f.Limits,
		Report:    func(err error) { i.probe.Failed(pipeline.System, err) },
		Malformed: i.probe.Malformed,
		Name:      i.name(), Logger: i.logger,
	})
	if err != nil {
		return nil, err
	}
	i.inputEnd = source.End
	return source, nil
}

func (i *instance) pulsarSink(b wire.Broker, o wire.Output, dead bool) (pipeline.Sink, error) {
	if err := i.entryPath(); err != nil {
		return nil, err
	}
	f := i.file
	return pulsar.NewSink(pulsar.SinkOptions{
		Broker: b, Output: o, Component: f.Component, Instance: f.Instance, Delivery: f.Delivery, DeadLetter: dead,
		NamedOnly: o.Topic == "", InputEnd: i.inputEnd, Repeated: i.probe.Repeated, Name: i.name(), Logger: i.logger,
	})
}
