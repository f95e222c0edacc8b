data "functionmesh_mesh_graph" "lines" {
  functions = {
    enrich = {
      inputs = { orders = {} }
      output = { topic = "enriched" }
    }
    score = {
      inputs = { enriched = {} }
      output = { topic = "scored" }
    }
  }
}

output "picture" {
  value = data.functionmesh_mesh_graph.lines.mermaid
}
