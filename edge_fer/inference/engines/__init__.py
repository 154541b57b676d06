"""The engines that edge-fer brings: each loads model files of its formats and runs them."""
