// Package tfx is the one adapter between Terraform and the engine: a codec between
// configuration, plan or state and a spec, a resource and a data source that work for
// every kind, and the attributes that only Terraform knows (timeouts, adopt, …).
//
// A configuration decodes to a spec and its holes, the paths that are unknown while
// planning. What a platform holds encodes back guided by what the user wrote: null
// stays null while it means the observed default, and a topic, a quantity or a JSON
// text keeps its spelling while it means the same.
//
// Planning never calls a platform. Only package provider and the packages of its
// entities may import tfx.
package tfx
