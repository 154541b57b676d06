"""What a machine without a keyboard needs."""
