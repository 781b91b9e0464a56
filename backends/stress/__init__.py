"""What each approach does when documents change, go, mislead, or try to give orders."""
