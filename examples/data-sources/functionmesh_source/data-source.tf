data "functionmesh_source" "intake" {
  name = "intake"
}

output "intake_ready" {
  value = data.functionmesh_source.intake.ready
}
