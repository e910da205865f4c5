"""Network parts that more than one study uses."""
