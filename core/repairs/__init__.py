"""One repair a file: a pure change that makes an old config readable."""
