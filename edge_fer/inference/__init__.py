"""From face crops to emotion scores: model files and the engines that run them."""
