resource "functionmesh_sink" "store" {
  name    = "store"
  builtin = "file"
  config  = jsonencode({ path = "scored.ndjson" })
  inputs  = { scored = {} }
}
