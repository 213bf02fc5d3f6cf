"""The contracts as documents: JSON Schemas, AsyncAPI, and the page that shows them."""

CONTRACT_VERSION = "0.1.0"
"""Of the documents; that of the package, which an uninstalled checkout does not know."""
