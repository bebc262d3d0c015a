"""What a run would do and cost, and whether it can work here: said before anything is done."""
