"""The bundled model files and their manifests."""
