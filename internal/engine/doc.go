// Package engine is the one reconciler library behind every front end: four verbs
// (Observe, Create, Update, Delete) over a Client per kind and platform, strict
// creation, take-over of a killed creation, convergence that writes nothing when
// nothing differs, and waiting for an observed readiness.
//
// It knows no kind and no platform, imports nothing of this module, never logs and
// may be imported by front ends, the catalogue and the platform clients.
package engine
