data "functionmesh_topic" "orders" {
  name = "orders"
}
