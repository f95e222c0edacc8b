resource "functionmesh_topic" "orders" {
  name       = "orders"
  partitions = 4
}
