"""What a release is made of: wheels that anybody can build again to the byte, what is in them, and a signature."""
