"""What people would use instead of this project, one module for each, against ours on the same input."""
