"""The page in the browser and its API: live picture, probabilities, timeline, health, and photos that are dropped."""
