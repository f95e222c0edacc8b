import {
  to = functionmesh_topic.orders
  id = "public/default/orders"
}
