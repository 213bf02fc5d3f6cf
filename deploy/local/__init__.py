"""A real Kafka and a real MongoDB on this machine, for as long as somebody needs them."""
