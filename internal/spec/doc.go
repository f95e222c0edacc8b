// Package spec holds the nouns of a mesh: tenant, namespace, topic, function,
// source, sink and mesh, with their defaults, their validation and, as data, the
// built-in connectors and the table of settings each platform honours.
//
// The JSON names of the fields are the words a user types: they are the HCL
// attributes, the YAML keys and the field paths of every error.
//
// It is pure, imports the standard library only, never performs I/O and may be
// imported by every other package.
package spec
