resource "functionmesh_source" "intake" {
  name    = "intake"
  builtin = "file"
  config  = jsonencode({ path = "orders.ndjson" })
  output  = { topic = "orders" }
}
