package pulsarform

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// builtin is the scheme under which Pulsar names a connector of its own.
const builtin = "builtin://"

func lower(p *string) string { return strings.ToLower(val(p)) }

func upper(s string) *string { return opt(strings.ToUpper(s)) }

// Component is the plain meaning of c; what Pulsar has no field for comes from the
// envelope beside it.
func (c FunctionConfig) component() (spec.Component, envelope) {
	out := spec.Component{
		Kind: spec.KindFunction, Tenant: val(c.Tenant), Namespace: val(c.Namespace), Name: val(c.Name),
		UserConfig: object(c.UserConfig),
		Inputs: inputForms{
			list: c.Inputs, serde: c.CustomSerdeInputs, schemas: c.CustomSchemaInputs, specs: c.InputSpecs,
		}.inputs(),
		TopicsPattern: val(c.TopicsPattern),
		Output: outputForm{
			topic: c.Output, schema: c.OutputSchemaType, serde: c.OutputSerdeClassName, producer: c.ProducerConfig, builder: c.BatchBuilder,
		}.output(),
		Subscription:         subscription(c.SubName, c.SubscriptionPosition),
		ProcessingGuarantees: guarantee(c.ProcessingGuarantees),
		RetainOrdering:       c.RetainOrdering, RetainKeyOrdering: c.RetainKeyOrdering,
		ForwardSourceMessageProperty: c.ForwardSourceMessageProperty, CleanupSubscription: c.CleanupSubscription,
		MaxMessageRetries: c.MaxMessageRetries, DeadLetterTopic: val(c.DeadLetterTopic), TimeoutMs: c.TimeoutMs,
		SkipToLatest: c.SkipToLatest, AutoAck: acknowledging(c.AutoAck, c.ProcessingGuarantees),
		NegativeAckRedeliveryDelayMs: delay(c.NegativeAckRedeliveryDelayMs),
		LogTopic:                     val(c.LogTopic), Parallelism: c.Parallelism,
		Extra: extraOf(c.Rest),
	}
	nameFromFQFN(&out, val(c.FQFN))
	env, own := openEnvelope(c.CustomRuntimeOptions)
	finish(&out, env, own, c.Secrets, c.Resources)
	c.runtime(&out, env)
	return out, env
}

// nameFromFQFN fills the name in from tenant/namespace/name where it is given so.
// One that says something else than the name beside it is kept, to be refused.
func nameFromFQFN(c *spec.Component, fqfn string) {
	parts := strings.Split(fqfn, "/")
	for i, said := range []*string{&c.Tenant, &c.Namespace, &c.Name} {
		if fqfn == "" || len(parts) == 3 && (*said == "" || *said == parts[i]) {
			continue
		}
		c.Extra = putExtraString(c.Extra, "fqfn", fqfn)
		return
	}
	if fqfn != "" {
		c.Tenant, c.Namespace, c.Name = parts[0], parts[1], parts[2]
	}
}

// finish adds what all three models hold in the same way.
func finish(c *spec.Component, env envelope, own *string, secret map[string]json.RawMessage, res *Resources) {
	c.State = env.state
	if own != nil {
		c.Extra = putExtraString(c.Extra, "customRuntimeOptions", *own)
	}
	refs, other := secrets(secret)
	c.Secrets = refs
	if other != nil {
		raw, _ := json.Marshal(other) // raw messages from a valid document
		c.Extra = putExtra(c.Extra, "secrets", raw)
	}
	var rest json.RawMessage
	if c.Resources, rest = resources(res); rest != nil {
		c.Extra = putExtra(c.Extra, "resources", rest)
	}
}

// runtime chooses the language as Pulsar does: by runtime, else by which file is
// named. A file or class that does not fit goes to Extra, where it is refused.
func (c FunctionConfig) runtime(out *spec.Component, env envelope) {
	lang := val(c.Runtime)
	c.file(out, env)
	if env.runtime == "wasm" {
		out.Runtime = &spec.Runtime{WASM: code(opt(env.url), c.ClassName, env)}
		if lang != "" {
			out.Extra = putExtraString(out.Extra, "runtime", lang)
		}
	}
	if out.Runtime != nil {
		return
	}
	if lang != "" {
		out.Extra = putExtraString(out.Extra, "runtime", lang)
	}
	if val(c.ClassName) != "" {
		out.Extra = putExtraString(out.Extra, "className", *c.ClassName)
	}
}

// file sets the runtime of a language that has a file of its own.
func (c FunctionConfig) file(out *spec.Component, env envelope) {
	lang := val(c.Runtime)
	for _, f := range []struct {
		key, lang string
		file      *string
		set       func(*spec.Code) *spec.Runtime
	}{
		{"jar", "JAVA", c.Jar, func(x *spec.Code) *spec.Runtime { return &spec.Runtime{Java: x} }},
		{"py", "PYTHON", c.Py, func(x *spec.Code) *spec.Runtime { return &spec.Runtime{Python: x} }},
		{"go", "GO", c.Go, func(x *spec.Code) *spec.Runtime { return &spec.Runtime{Go: x} }},
	} {
		switch {
		case env.runtime == "" && (lang == f.lang || lang == "" && f.file != nil && out.Runtime == nil):
			out.Runtime = f.set(code(f.file, c.ClassName, env))
		case f.file != nil:
			out.Extra = putExtraString(out.Extra, f.key, *f.file)
		}
	}
}

// code tells a path from a URL by its scheme. Uploaded code is known by its digest;
// code behind a URL is known by the URL.
func code(place, class *string, env envelope) *spec.Code {
	out := &spec.Code{Class: val(class)}
	if strings.Contains(val(place), "://") {
		out.URL = *place
		return out
	}
	out.File, out.SHA256 = val(place), env.Digest
	return out
}

func place(c *spec.Code) *string {
	if c.URL != "" {
		return &c.URL
	}
	return opt(c.File)
}

func functionConfig(c spec.Component, env envelope) FunctionConfig {
	out := FunctionConfig{
		Tenant: opt(c.Tenant), Namespace: opt(c.Namespace), Name: opt(c.Name),
		InputSpecs: inputSpecs(c.Inputs), TopicsPattern: opt(c.TopicsPattern),
		LogTopic: opt(c.LogTopic), ProcessingGuarantees: guaranteeText(c.ProcessingGuarantees),
		RetainOrdering: c.RetainOrdering, RetainKeyOrdering: c.RetainKeyOrdering,
		ForwardSourceMessageProperty: c.ForwardSourceMessageProperty,
		UserConfig:                   objectRaw(c.UserConfig), Secrets: secretsText(c.Secrets, c.Extra),
		MaxMessageRetries: c.MaxMessageRetries, DeadLetterTopic: opt(c.DeadLetterTopic),
		CleanupSubscription: c.CleanupSubscription, TimeoutMs: c.TimeoutMs, Parallelism: c.Parallelism,
		SkipToLatest: c.SkipToLatest, AutoAck: c.AutoAck, NegativeAckRedeliveryDelayMs: c.NegativeAckRedeliveryDelayMs,
		Resources: resourcesText(c.Resources, c.Extra), Rest: restOf(c.Extra),
	}
	if o := c.Output; o != nil {
		out.Output, out.OutputSchemaType, out.OutputSerdeClassName = opt(o.Topic), opt(o.Schema), opt(o.SerdeClass)
		out.ProducerConfig = producerConfig(o.Producer)
	}
	out.SubName, out.SubscriptionPosition = subscriptionText(c.Subscription)
	env.state = c.State
	env.runtime, env.url = "", ""
	if lang, code := c.Runtime.Chosen(); code != nil {
		out.ClassName = opt(code.Class)
		switch lang {
		case "java":
			out.Runtime, out.Jar = opt("JAVA"), place(code)
		case "python":
			out.Runtime, out.Py = opt("PYTHON"), place(code)
		case "go":
			out.Runtime, out.Go = opt("GO"), place(code)
		default:
			env.runtime, env.url = lang, code.URL
		}
	}
	out.CustomRuntimeOptions = env.seal(c.Extra)
	return out
}

// configOf is the plain configuration of c in the model of its kind.
func configOf(c spec.Component, env envelope) (map[string]json.RawMessage, error) {
	switch c.Kind {
	case spec.KindFunction:
		m := functionConfig(c, env)
		return marshalModel(m, m.Rest)
	case spec.KindSource:
		m := sourceConfig(c, env)
		return marshalModel(m, m.Rest)
	case spec.KindSink:
		m := sinkConfig(c, env)
		return marshalModel(m, m.Rest)
	case spec.KindTenant, spec.KindNamespace, spec.KindTopic, spec.KindMesh:
	}
	return nil, fmt.Errorf("a %s has no configuration in Pulsar's models", c.Kind)
}

// componentOf is the plain meaning of a configuration.
func componentOf(kind spec.Kind, config []byte) (spec.Component, envelope, error) {
	var c spec.Component
	var env envelope
	var err error
	switch kind {
	case spec.KindFunction:
		var m FunctionConfig
		if err = json.Unmarshal(config, &m); err == nil {
			c, env = m.component()
		}
	case spec.KindSource:
		var m SourceConfig
		if err = json.Unmarshal(config, &m); err == nil {
			c, env = m.component()
		}
	case spec.KindSink:
		var m SinkConfig
		if err = json.Unmarshal(config, &m); err == nil {
			c, env = m.component()
		}
	case spec.KindTenant, spec.KindNamespace, spec.KindTopic, spec.KindMesh:
		err = fmt.Errorf("a %s has no configuration in Pulsar's models", kind)
	}
	return c, env, err
}
