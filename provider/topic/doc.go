// Package topic offers streams: the resource and the data source functionmesh_topic.
//
// It holds schema and wiring only; reading, planning and writing are tfx's. Only
// package provider imports it.
package topic
