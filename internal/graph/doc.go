// Package graph sees a mesh as a graph: components and topics are nodes, reading and
// writing are edges. It finds cycles and inputs nobody feeds, expands a mesh into the
// components that run, and draws it as DOT and Mermaid.
//
// It is pure, knows no platform, never changes a mesh and may be imported by the
// catalogue, the front ends and the CLI. Everything it returns is in a fixed order.
package graph
