"""What is known of Keras's classes, without Keras: names, weights, axes, arguments, costs."""
