"""What an answer, a month and a training cost."""
