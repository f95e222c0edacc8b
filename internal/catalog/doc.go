// Package catalog binds each kind of spec to the engine: key, defaults, validation
// and comparison. It is pure and may be imported by front ends and platform clients.
package catalog
