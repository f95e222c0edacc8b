resource "functionmesh_tenant" "shop" {
  name = "shop"
}
