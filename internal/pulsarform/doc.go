// Package pulsarform turns Pulsar's own models of a component (FunctionConfig,
// SourceConfig, SinkConfig) and PIP-66's mesh YAML into spec and back, losing nothing
// in either direction: settings without a word in spec travel in Extra, what Pulsar
// has no field for travels as an Envelope inside customRuntimeOptions, and the
// spelling of a configuration is remembered as its Form.
//
// It is pure: no I/O, no client, no default beyond Pulsar's own. Clients and servers
// of the Pulsar admin REST API and front ends that read YAML may import it.
package pulsarform
