resource "functionmesh_topic" "orders" {
  name = "orders"
}

resource "functionmesh_function" "enrich" {
  name    = "enrich"
  runtime = { python = { file = "${path.module}/enrich.py", class = "enrich.Enrich" } }
  inputs  = { (functionmesh_topic.orders.name) = {} }
  output  = { topic = "enriched" }

  subscription        = { position = "earliest" }
  parallelism         = 2
  max_message_retries = 3
  dead_letter_topic   = "orders-dead"
  user_config         = jsonencode({ region = "eu" })
}
