"""Access to MongoDB: collections, reads, blobs, and transactions with a deadline."""

from shared.mongo.client import Database
from shared.mongo.collections import Collection, Index

__all__ = ["Collection", "Database", "Index"]
