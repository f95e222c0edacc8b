// Package component offers functions, sources and sinks: one schema function that
// builds the attributes of a component, stand-alone or inside a mesh, and the three
// resources and data sources made of it.
//
// It holds schema and wiring only; reading, planning and writing are tfx's. Package
// provider, the mesh and the graph import it.
package component
