// Package engine is the one reconciler library behind every front end: verbs over a
// Client per kind and platform, strict creation, take-over of an interrupted one,
// convergence that writes nothing when nothing differs, and waiting for an observed
// readiness.
//
//	Create    strict; takes over what an interrupted create of ours left
//	Update    changes what exists, keeps its owner
//	Converge  whichever it takes; without a difference, no write
//	Delete    waits until it is gone
//	Wait      until ready, or at once when failed
//
// RATIONALE.md answers why. It knows no kind and no platform, imports nothing of this
// module, never logs and may be imported by front ends, the catalogue and the platform
// clients.
package engine
