// Package catalogtest holds drifts: pairs of what a platform has and what is wanted,
// with the changes that every front end must see between them. The comparator's own
// tests, a plan, a repair and a status all read the same files, so that they cannot
// disagree.
//
// It holds data only. Tests may import it, and nothing else.
package catalogtest
