// Package mesh offers meshes: the resource and the data source functionmesh_mesh, and
// the offline data source functionmesh_mesh_graph.
//
// The attributes of a mesh's components are those of package component. It holds
// schema and wiring only; reading, planning and writing are tfx's. Only package
// provider imports it.
package mesh
