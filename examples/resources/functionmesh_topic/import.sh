terraform import functionmesh_topic.orders public/default/orders
