resource "functionmesh_mesh" "lines" {
  name = "lines"

  sources = {
    intake = {
      builtin = "file"
      config  = jsonencode({ path = "orders.ndjson" })
      output  = { topic = "orders" }
    }
  }

  functions = {
    enrich = {
      runtime = { python = { file = "${path.module}/enrich.py", class = "enrich.Enrich" } }
      inputs  = { orders = {} } # keyed by topic: an edit shows as one key
      output  = { topic = "enriched" }
    }
    score = {
      runtime     = { wasm = { file = "${path.module}/score.wasm" } }
      inputs      = { enriched = {} }
      output      = { topic = "scored" }
      parallelism = 2
    }
  }

  sinks = {
    store = {
      builtin = "file"
      config  = jsonencode({ path = "scored.ndjson" })
      inputs  = { scored = {} }
    }
  }
}
