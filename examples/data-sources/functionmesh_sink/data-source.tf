data "functionmesh_sink" "store" {
  name = "store"
}

output "store_ready" {
  value = data.functionmesh_sink.store.ready
}
