"""An exponential moving average of the weights, which is steadier than the weights and the model that is kept."""

from __future__ import annotations

import keras

from edge_fer_train.checkpoint import to_numpy

INTERVAL_STEPS = 4
"""The average is taken every so many steps, with the decay to that power: the same average at a quarter of the cost."""


class WeightAverage(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps `average`, a twin of the trained model, at the moving average of all its weights.

    Batch norm's moving mean and variance are averaged too: averaged weights need averaged statistics.
    """

    def __init__(self, trained: keras.Model, average: keras.Model, decay: float, step: int = 0) -> None:
        super().__init__()
        self._pairs = list(zip(average.weights, trained.weights, strict=True))
        self._decay, self.step = decay, step

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Move the average a little towards the weights."""
        self.step += 1
        if not self._decay or self.step % INTERVAL_STEPS:
            return
        self._fetch_weights()
        # Early on the average must forget its random start faster than the decay says.
        decay = min(self._decay, (1 + self.step) / (10 + self.step)) ** INTERVAL_STEPS
        for mean, current in self._pairs:
            mean.assign(mean * decay + current * (1 - decay))

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Without a decay the average is the weights themselves."""
        if not self._decay:
            for mean, current in self._pairs:
                mean.assign(to_numpy(current))

    def _fetch_weights(self) -> None:
        # JAX keeps the weights to itself during an epoch, until it is asked for them.
        fetch = getattr(self.model, "jax_state_sync", None)
        if fetch is not None:
            fetch()
