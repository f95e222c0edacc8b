data "functionmesh_tenant" "shop" {
  name = "shop"
}
