"""Feed-forward networks, trained by back-propagation."""
