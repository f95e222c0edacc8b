// Package catalog binds each kind of spec to the engine: its key, its defaults, its
// validation and the rule of every field, one file per kind. It also holds the mesh
// client, which makes a mesh out of component clients, and a registry of type-erased
// handles for front ends that speak JSON.
//
// It never performs I/O of its own, knows no platform and never logs. Front ends and
// the gateway import it; platform clients import it for the Clients struct only.
package catalog
