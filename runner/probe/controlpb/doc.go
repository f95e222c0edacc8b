// Package controlpb holds the messages of Pulsar's InstanceControl service, generated
// from control.proto under a package name of our own. It never serves anything: that is
// package probe, the only one that imports it besides tests.
package controlpb
