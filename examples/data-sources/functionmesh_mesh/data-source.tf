data "functionmesh_mesh" "lines" {
  name = "lines"
}

output "lines_ready" {
  value = data.functionmesh_mesh.lines.ready
}
