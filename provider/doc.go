// Package provider is the Terraform front end: its schema, its configuration and the
// list of everything it offers. Configuring makes no network call; the platform is
// opened by the first read or write that needs it.
//
// The work is done by package tfx, one adapter for every kind, and by the package of
// each entity, which adds its schema. Nothing imports this package but main.go.
package provider
