"""What the window is about: the document, what is remembered, and the jobs that helper processes do for it."""
