// Package tenancy offers what everything else lies in: the resources and data sources
// functionmesh_tenant and functionmesh_namespace.
//
// It holds schema and wiring only; reading, planning and writing are tfx's. Only
// package provider imports it.
package tenancy
