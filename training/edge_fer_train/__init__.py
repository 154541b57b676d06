"""Training of small emotion models."""
