output "tenant" {
  value = provider::functionmesh::topic_parse("shop/eu/orders").tenant # "shop"
}
