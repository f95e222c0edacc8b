data "functionmesh_function" "enrich" {
  name = "enrich"
}

output "enrich_ready" {
  value = data.functionmesh_function.enrich.ready
}
