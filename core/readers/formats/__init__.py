"""One format of model files a module."""
