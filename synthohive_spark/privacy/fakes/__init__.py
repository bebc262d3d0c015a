"""What is written instead of personal data: readable values of their kinds, made from the row's position."""
