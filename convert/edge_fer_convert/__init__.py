"""From a trained Keras model to TFLite and ONNX files, with evidence that they are the same model."""
