"""What belongs to the EHR: people, and what it says of them of its own."""
