"""Adapters write foreign data as deliveries of our feeds: all data enters through the landing folder."""
