"""Which approach to take, and what that rests on."""
