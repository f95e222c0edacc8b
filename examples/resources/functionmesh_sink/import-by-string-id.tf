import {
  to = functionmesh_sink.store
  id = "public/default/store"
}
