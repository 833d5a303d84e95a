"""What the rivals' processes run, with the imports that such a script has and no other: their time counts."""
