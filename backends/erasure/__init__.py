"""Takes a forgotten document out of every file, and proves it."""
