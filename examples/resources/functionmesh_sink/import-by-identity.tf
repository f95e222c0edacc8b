import {
  to = functionmesh_sink.store
  identity = {
    tenant    = "public"
    namespace = "default"
    name      = "store"
  }
}
