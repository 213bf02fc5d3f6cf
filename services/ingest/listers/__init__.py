"""Listing what a provider had while we were down, one file for each provider that can."""
