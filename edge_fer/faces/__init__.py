"""From a frame to faces, and from a face to a model input."""
