import {
  to = functionmesh_topic.orders
  identity = {
    tenant    = "public"
    namespace = "default"
    name      = "orders"
  }
}
