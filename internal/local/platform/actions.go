package platform

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// triggerWithin bounds how long trigger waits for an answer unless the caller says.
const triggerWithin = 30 * time.Second

// Act implements engine.Actor. The verbs:
//
//	restart  drain and start again; argument instance: one of them
//	stop     drain, and stay stopped until start; the component stays declared
//	start    run again
//	seek     start to read from argument to: earliest, latest or a time of RFC 3339;
//	         inputs on a Pulsar only
//	trigger  publish argument data to an input and return the output it causes;
//	         arguments topic (needed with several inputs) and timeout_ms
func (c *componentClient) Act(ctx context.Context, key engine.Key, verb string, args map[string]string) (string, error) {
	if err := context.Cause(ctx); err != nil {
		return "", err
	}
	key.Kind = string(c.kind)
	switch verb {
	case "restart":
		return "", c.restart(key, args["instance"])
	case "stop":
		return "", c.setState(ctx, key, spec.StateStopped)
	case "start":
		return "", c.setState(ctx, key, spec.StateRunning)
	case "seek":
		return "", c.seek(ctx, key, args["to"])
	case "trigger":
		return c.trigger(ctx, key, args)
	}
	return "", engine.New(engine.Invalid, fmt.Errorf("the local platform cannot %s a %s: it knows restart, stop, start, seek and trigger", verb, c.kind))
}

func (c *componentClient) restart(key engine.Key, instance string) error {
	defer c.p.locks.lock(key)()
	r, err := c.p.declared(key)
	if err != nil {
		return err
	}
	if r.State == spec.StateStopped {
		return &engine.Error{Class: engine.Conflict, Hint: "Start it", Err: fmt.Errorf("%s %s is stopped", key.Kind, key)}
	}
	id := -1
	if instance != "" {
		if id, err = strconv.Atoi(instance); err != nil || id < 0 {
			return engine.New(engine.Invalid, fmt.Errorf("%q is no instance", instance))
		}
	}
	return c.p.Supervisor.Restart(key, id)
}

func (c *componentClient) setState(ctx context.Context, key engine.Key, state spec.State) error {
	defer c.p.locks.lock(key)()
	r, err := c.p.declared(key)
	if err != nil {
		return err
	}
	r.State, r.Generation = state, r.Generation+1
	if err := c.p.Store.Components.Put(recordKey(key), r); err != nil {
		return err
	}
	err = c.p.launch(context.WithoutCancel(ctx), r)
	c.p.blame(key, err)
	return err
}

func (c *componentClient) trigger(ctx context.Context, key engine.Key, args map[string]string) (string, error) {
	r, err := c.p.declared(key)
	if err != nil {
		return "", err
	}
	if c.kind != spec.KindFunction {
		return "", engine.New(engine.Invalid, fmt.Errorf("a %s cannot be triggered, only a function", c.kind))
	}
	if onPulsar(r) {
		return "", &engine.Error{
			Class: engine.Invalid, Err: errors.New("a function whose streams are on a Pulsar cannot be triggered"),
			Hint: "Write to its input with `functionmesh topic produce --pulsar`, and read its output with `functionmesh topic consume --pulsar`",
		}
	}
	s := spec.DefaultComponent(r.Spec)
	in, err := inputOf(s, args["topic"])
	if err != nil {
		return "", err
	}
	within := triggerWithin
	if text := args["timeout_ms"]; text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms <= 0 {
			return "", engine.New(engine.Invalid, fmt.Errorf("%q is no time in milliseconds", text))
		}
		within = time.Duration(ms) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if s.Output == nil || s.Output.Topic == "" {
		_, err := c.p.Broker.Send(ctx, in, []byte(args["data"]))
		return "", err
	}
	answer, err := c.p.Broker.Ask(ctx, in, s.Output.Topic, []byte(args["data"]))
	return string(answer), err
}

// inputOf is the input that a message is published to.
func inputOf(c spec.Component, topic string) (string, error) {
	inputs := spec.SortedKeys(c.Inputs)
	if topic == "" {
		if len(inputs) == 1 {
			return inputs[0], nil
		}
		return "", engine.New(engine.Invalid, errors.New("name the topic, one of "+strings.Join(inputs, ", ")))
	}
	name, err := spec.ParseTopic(topic, c.Tenant, c.Namespace)
	if err != nil {
		return "", engine.New(engine.Invalid, err)
	}
	if _, ok := c.Inputs[name.String()]; !ok {
		return "", engine.New(engine.Invalid, fmt.Errorf("%s is no input of it; those are %s", name, strings.Join(inputs, ", ")))
	}
	return name.String(), nil
}
