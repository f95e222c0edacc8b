package instance

import (
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar"
	"github.com/functionmesh/terraform-provider-functionmesh/runner/broker/pulsar/compatible"
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

// compatible chooses Pulsar's own client over the entry path.
func (i *instance) compatible() (bool, error) {
	switch p := i.file.Path; p {
	case "", wire.EntryPath:
		return false, nil
	case wire.CompatiblePath:
		return true, nil
	default:
		return false, terminal(reasonConfig, "path: %q is not offered; %s", p, i.file.PathNote)
	}
}

func (i *instance) pulsarSource() (pipeline.Source, error) {
	own, err := i.compatible()
	if err != nil {
		return nil, err
	}
	f := i.file
	o := pulsar.SourceOptions{
		Brokers: f.Brokers, Source: f.Source, Component: f.Component, Instance: f.Instance, Delivery: f.Delivery, Limits: f.Limits,
		Report:    func(err error) { i.probe.Failed(pipeline.System, err) },
		Malformed: i.probe.Malformed,
		Name:      i.name(), Logger: i.logger,
	}
	if own {
		return compatible.NewSource(o)
	}
	source, err := pulsar.NewSource(o)
	if err != nil {
		return nil, err
	}
	i.inputEnd = source.End
	return source, nil
}

func (i *instance) pulsarSink(b wire.Broker, out wire.Output, dead bool) (pipeline.Sink, error) {
	own, err := i.compatible()
	if err != nil {
		return nil, err
	}
	f := i.file
	o := pulsar.SinkOptions{
		Broker: b, Output: out, Component: f.Component, Instance: f.Instance, Delivery: f.Delivery, DeadLetter: dead,
		NamedOnly: out.Topic == "", InputEnd: i.inputEnd, Repeated: i.probe.Repeated,
		Report: func(err error) { i.probe.Failed(pipeline.System, err) }, Name: i.name(), Logger: i.logger,
	}
	if own {
		return compatible.NewSink(o)
	}
	return pulsar.NewSink(o)
}
