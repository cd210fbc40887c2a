"""What a model is, as frozen values: graphs, calls, weights, order, plans. No Keras, no files."""
