"""Foreign data, written as deliveries of our own feeds: a bank's extracts go through the same door as everybody's."""
