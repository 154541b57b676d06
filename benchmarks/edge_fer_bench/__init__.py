"""Latency, throughput and accuracy of model files on the machine at hand."""
