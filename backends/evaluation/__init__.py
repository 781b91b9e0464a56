"""From questions with known answers to scores."""
