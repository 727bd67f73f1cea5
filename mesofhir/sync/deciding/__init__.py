"""What is to become of a resource: the three-way merge and what follows from it. Pure."""
