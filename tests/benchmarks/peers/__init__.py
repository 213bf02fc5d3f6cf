"""What ours is compared with: itself without Kafka, and an app as a user would write it."""
