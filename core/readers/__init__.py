"""From a file to a graph and a lazy weight store, without Keras and without running anything the file holds."""
